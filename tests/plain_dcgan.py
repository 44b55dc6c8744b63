"""A small unconditional DCGAN on procedural shapes: what tests of readers of configs start from."""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 32
    config.num_steps = 5_000
    config.steps_per_call = 25
    config.log_every_steps = 50
    config.checkpoint_every_steps = 1_000
    config.sample_every_steps = 1_000
    config.data.update(name="shapes", resolution=28, channels=1, num_examples=20_000, seed=0)
    config.algorithm = dict(
        name="gan",
        discriminator_steps=1,
        latent_size=64,
        latent="normal",
    )
    config.loss = dict(name="non_saturating")
    config.ema = dict(name="decay", decay=0.99)
    config.generator = dict(
        name="dcgan_generator",
        widths=(64, 32),
        kernel_size=5,
        output_kernel_size=0,
        activation="relu",
        norm_first=True,
        upsampling="transpose",
        momentum=0.9,
        initializer="normal",
    )
    config.discriminator = dict(
        name="dcgan_discriminator",
        widths=(32, 64),
        kernel_size=5,
        activation="leaky_relu",
        dropout=0.3,
        norm="none",
        momentum=0.9,
        initializer="normal",
    )
    config.generator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.5, b2=0.999, eps=1e-8)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.5, b2=0.999, eps=1e-8)
    return config
