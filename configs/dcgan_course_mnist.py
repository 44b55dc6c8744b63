"""The second course's DCGAN on MNIST (or, with --config.data.name=fashion_mnist, on that).

    gan-jax data prepare mnist
    gan-jax train --config dcgan_course_mnist --workdir runs/dcgan_course_mnist

Generator: Dense 7x7x256, 4x4 transposed convolutions 128 and 64, each with BatchNorm and LeakyReLU 0.2,
7x7 output convolution. Discriminator: 3x3 convolutions 64, 128, 256 with stride 2, dropout 0.25 and,
after the first, BatchNorm. A layer right before BatchNorm has no bias here (Keras keeps a useless one).
Not trained to the end yet: after 1,500 of 10,000 batches, in 8 minutes, most digits are legible (two x86
cores, `experiments/gallery/`).
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 64
    config.num_steps = 10_000
    config.steps_per_call = 25
    config.log_every_steps = 100
    config.checkpoint_every_steps = 1_000
    config.sample_every_steps = 1_000
    config.data.name = "mnist"
    config.algorithm = dict(
        name="gan",
        discriminator_steps=1,
        latent_size=100,
        latent="normal",
    )
    config.loss = dict(name="non_saturating")
    config.ema = dict(name="decay", decay=0.999)
    config.generator = dict(
        name="dcgan_generator",
        widths=(256, 128, 64),
        kernel_size=4,
        output_kernel_size=7,
        activation="leaky_relu",
        norm_first=True,
        upsampling="transpose",
        momentum=0.8,
        initializer="glorot_uniform",
    )
    config.discriminator = dict(
        name="dcgan_discriminator",
        widths=(64, 128, 256),
        kernel_size=3,
        activation="leaky_relu",
        dropout=0.25,
        norm="batch",
        momentum=0.8,
        initializer="glorot_uniform",
    )
    config.generator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.999, eps=1e-8)
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.999, eps=1e-8)
    return config
