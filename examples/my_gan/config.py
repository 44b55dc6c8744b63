"""Rings by a network that paints each pixel by its place, with the margin loss: 3,000 batches of 32.

gan-jax train --config config.py --workdir runs/rings
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    """The parts of `my_gan` by name; it is a plugin, so nothing of it is imported here."""
    config = base_config()
    config.plugins = ("my_gan",)
    config.batch_size = 32
    config.num_steps = 3_000
    config.data.update(name="rings", size=16)
    config.algorithm = dict(name="gan", latent_size=8)
    config.loss = dict(name="margin", margin=1.0)
    config.penalties = dict(r1=dict(weight=0.1))
    config.generator = dict(name="coordinate_generator")
    config.discriminator = dict(name="mlp_discriminator", widths=(128, 64))
    config.generator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.5)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.5)
    config.ema = dict(name="decay", decay=0.99)
    return config
