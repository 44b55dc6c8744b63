"""WGAN with gradient penalty on MNIST, a small DCGAN.

    gan-jax data prepare mnist
    gan-jax train --config wgan_gp_mnist --workdir runs/wgan_gp_mnist

Gulrajani et al. 2017, arXiv:1704.00028, algorithm 1: lambda 10, five critic steps, Adam at 1e-4 with betas
0.5 and 0.9 (the authors' MNIST run), no BatchNorm in the critic. Expect strokes like those of digits, over
half of them legible; 11 minutes on two x86 cores with tests beside it.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 50
    config.num_steps = 3_000
    config.steps_per_call = 10
    config.log_every_steps = 100
    config.checkpoint_every_steps = 1_000
    config.sample_every_steps = 1_000
    config.data.name = "mnist"
    config.algorithm = dict(name="gan", discriminator_steps=5)
    config.loss = dict(name="wasserstein")
    config.penalties = dict(wgan_gp=dict(weight=10.0))
    config.ema = dict(name="decay", decay=0.995)
    config.generator = dict(name="dcgan_generator", widths=(64, 32))
    config.discriminator = dict(name="dcgan_discriminator", widths=(32, 64))
    config.generator_optimizer = dict(name="adam", learning_rate=1e-4, b1=0.5, b2=0.9)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-4, b1=0.5, b2=0.9)
    return config
