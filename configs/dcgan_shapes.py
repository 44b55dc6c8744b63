"""The embedded default: a small DCGAN on procedural shapes, 32x32x3; `make train`."""

import ml_collections

from gan_jax.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 64
    config.num_steps = 2_000
    config.steps_per_call = 25
    config.log_every_steps = 50
    config.checkpoint_every_steps = 500
    config.sample_every_steps = 500
    config.data.update(name="shapes", resolution=32, channels=3, num_examples=20_000, seed=0)
    config.algorithm = dict(
        name="gan",
        loss="non_saturating",
        discriminator_steps=1,
        latent_size=64,
        latent="normal",
        ema_decay=0.99,
    )
    config.generator = dict(
        name="dcgan_generator",
        widths=(128, 64, 32),
        kernel_size=4,
        output_kernel_size=0,
        activation="relu",
        norm_first=True,
        upsampling="transpose",
        momentum=0.9,
        initializer="normal",
    )
    config.discriminator = dict(
        name="dcgan_discriminator",
        widths=(32, 64, 128),
        kernel_size=4,
        activation="leaky_relu",
        dropout=0.0,
        batch_norm=True,
        momentum=0.9,
        initializer="normal",
    )
    config.generator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.5, b2=0.999, eps=1e-8)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.5, b2=0.999, eps=1e-8)
    return config
