"""Conditional WGAN-GP on windows of Super Mario Bros levels: the kind of level is asked for.

    gan-jax data prepare vglc_mario
    gan-jax train --config cgan_mario --workdir runs/cgan_mario
    gan-jax levels runs/cgan_mario --label underground --out levels

Mirza and Osindero 2014, arXiv:1411.1784, with the networks and the penalty of wgan_gp_mario: the label's
embedding joins the latent and, as a plane, the tiles. Overworld, underground and platforms have 1,551, 131
and 368 of the windows. Built and counted, not trained here.
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
    config.data.name = "vglc_mario"
    config.algorithm = dict(name="gan", latent_size=32, discriminator_steps=5)
    config.loss = dict(name="wasserstein")
    config.penalties = dict(wgan_gp=dict(weight=10.0))
    config.ema = dict(name="decay", decay=0.995)
    config.generator = dict(
        name="dcgan_generator",
        widths=(128, 64, 32),
        kernel_size=4,
        output="softmax",
        condition="embedding",
    )
    config.discriminator = dict(
        name="dcgan_discriminator", widths=(32, 64, 128), kernel_size=4, condition="embedding"
    )
    config.generator_optimizer = dict(name="adam", learning_rate=1e-4, b1=0.5, b2=0.9)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-4, b1=0.5, b2=0.9)
    return config
