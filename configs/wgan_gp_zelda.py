"""WGAN-GP on rooms of The Legend of Zelda.

    gan-jax data prepare vglc_zelda
    gan-jax train --config wgan_gp_zelda --workdir runs/wgan_gp_zelda
    gan-jax levels runs/wgan_gp_zelda --num 20 --out levels

Gulrajani et al. 2017, arXiv:1704.00028, as wgan_gp_mario. 406 rooms, of which 247 differ, are few. Expect
whole rooms with walls, doors and blocks in a new order, a sixth of them copies, and three quarters that can
be crossed, where it is 81 % of the real ones (`experiments/levels`); 9 minutes on one of two x86 cores.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 32
    config.num_steps = 4_000
    config.steps_per_call = 10
    config.log_every_steps = 100
    config.checkpoint_every_steps = 500
    config.sample_every_steps = 1_000
    config.data.name = "vglc_zelda"
    config.algorithm = dict(name="gan", latent_size=32, discriminator_steps=5)
    config.loss = dict(name="wasserstein")
    config.penalties = dict(wgan_gp=dict(weight=10.0))
    config.ema = dict(name="decay", decay=0.995)
    config.generator = dict(name="dcgan_generator", widths=(128, 64), kernel_size=4, output="softmax")
    config.discriminator = dict(name="dcgan_discriminator", widths=(64, 128), kernel_size=4)
    config.generator_optimizer = dict(name="adam", learning_rate=1e-4, b1=0.5, b2=0.9)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-4, b1=0.5, b2=0.9)
    return config
