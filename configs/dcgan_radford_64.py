"""Radford, Metz, Chintala 2016 (arXiv:1511.06434): their 64x64 DCGAN, on a folder of pictures.

    gan-jax train --config dcgan_radford_64 --workdir runs/radford \
        --config.data.folder=PICTURES

Section 4 and figure 1: uniform latents of size 100, 4x4x1024 up to 64x64x3 by transposed convolutions,
BatchNorm in both networks but for the generator's output and the discriminator's input, ReLU and LeakyReLU
0.2, weights from N(0, 0.02^2), batch 128, Adam with learning rate 2e-4 and beta1 0.5, no augmentation;
BatchNorm's momentum 0.9 and epsilon 1e-5 as in PyTorch's DCGAN example: with Keras's 1e-3 the discriminator's
first BatchNorm would start at a variance of 0.73 behind such weights.
Deviations: pictures are cropped to a square and resized with Lanczos; sampling uses averaged weights.
Not trained to the end yet: it needs a GPU.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 128
    config.num_steps = 100_000
    config.steps_per_call = 10
    config.log_every_steps = 100
    config.checkpoint_every_steps = 2_000
    config.sample_every_steps = 2_000
    config.data.update(
        name="image_folder",
        folder="",  # your pictures; one sub-folder per class, or none
        height=64,
        width=64,
        crop="center",
        filter="lanczos",
        channels=3,
    )
    config.algorithm = dict(
        name="gan",
        discriminator_steps=1,
        latent_size=100,
        latent="uniform",
    )
    config.loss = dict(name="non_saturating")
    config.ema = dict(name="decay", decay=0.999)
    config.generator = dict(
        name="dcgan_generator",
        widths=(1024, 512, 256, 128),
        kernel_size=5,
        output_kernel_size=0,
        activation="relu",
        norm_first=True,
        upsampling="transpose",
        momentum=0.9,
        norm_epsilon=1e-5,
        initializer="normal",
    )
    config.discriminator = dict(
        name="dcgan_discriminator",
        widths=(128, 256, 512, 1024),
        kernel_size=5,
        activation="leaky_relu",
        dropout=0.0,
        norm="batch",
        momentum=0.9,
        norm_epsilon=1e-5,
        initializer="normal",
    )
    config.generator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.999, eps=1e-8)
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.999, eps=1e-8)
    return config
