"""Colouring without data of one's own: grey pictures of procedural shapes get their colours, 32x32.

gan-jax train --config configs/colouring_shapes.py --workdir runs/colouring
gan-jax sample --workdir runs/colouring --num 16 --out shapes/
gan-jax translate --workdir runs/colouring --input shapes/source --out coloured
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 16
    config.num_steps = 4_000
    config.log_every_steps = 50
    config.data.update(name="shapes", resolution=32, channels=3, codec="lab")
    config.source = dict(name="lightness")
    config.algorithm = dict(name="translator")
    config.loss = dict(name="non_saturating")
    config.contents = dict(l1=dict(weight=100.0))
    config.ema = dict(name="decay", decay=0.99)
    config.generator = dict(
        name="unet_generator",
        width=32,
        downs=2,
        norm="none",
        dropout=0.0,
        initializer="glorot_uniform",
    )
    config.discriminator = dict(name="patchgan_discriminator", width=16, layers=1, norm="batch")
    config.generator_optimizer = dict(
        name="adam",
        learning_rate=dict(name="linear", start=2e-3, end=0.0, steps=config.num_steps),
        b1=0.5,
    )
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5)
    return config
