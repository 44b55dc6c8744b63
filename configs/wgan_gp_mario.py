"""WGAN-GP on windows of Super Mario Bros levels, at half the widths of Volz et al. and with a softmax head.

    gan-jax data prepare vglc_mario
    gan-jax train --config wgan_gp_mario --workdir runs/wgan_gp_mario
    gan-jax levels runs/wgan_gp_mario --num 20 --out levels

Gulrajani et al. 2017, arXiv:1704.00028: lambda 10, five critic steps, Adam at 1e-4, no BatchNorm in the
critic. The generator ends in a softmax over the 13 kinds of tiles, so that what the critic sees of fakes lies
between the one-hot reals. Expect windows of which a walker passes 97 %, and two fifths of the pipes' tiles
broken (`experiments/levels`); 79 minutes on one of two x86 cores with much beside it.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 32
    config.num_steps = 7_000
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
        name="dcgan_generator", widths=(128, 64, 32), kernel_size=4, output="softmax", condition="none"
    )
    config.discriminator = dict(
        name="dcgan_discriminator", widths=(32, 64, 128), kernel_size=4, condition="none"
    )
    config.generator_optimizer = dict(name="adam", learning_rate=1e-4, b1=0.5, b2=0.9)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-4, b1=0.5, b2=0.9)
    return config
