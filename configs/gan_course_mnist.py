"""The second course's MLP GAN on MNIST (or, with --config.data.name=fashion_mnist, on that).

    gan-jax data prepare mnist
    gan-jax train --config gan_course_mnist --workdir runs/gan_course_mnist

Goodfellow et al. 2014 (arXiv:1406.2661). Generator 256-512-1024, each LeakyReLU 0.2 and BatchNorm 0.8;
discriminator 512-256 with LeakyReLU 0.2. Expect legible digits, a few of them broken
(`experiments/gallery/gan_course_mnist.png`); 191 s on two x86 cores beside another training.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 64
    config.num_steps = 10_000
    config.steps_per_call = 50
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
        name="mlp_generator",
        widths=(256, 512, 1024),
        activation="leaky_relu",
        norm="batch",
        momentum=0.8,
        initializer="glorot_uniform",
    )
    config.discriminator = dict(
        name="mlp_discriminator",
        widths=(512, 256),
        activation="leaky_relu",
        dropout=0.0,
        initializer="glorot_uniform",
    )
    config.generator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.999, eps=1e-8)
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.999, eps=1e-8)
    return config
