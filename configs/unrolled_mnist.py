"""Unrolled GAN on MNIST: the course's fully connected networks, five discriminator steps ahead.

    gan-jax data prepare mnist
    gan-jax train --config unrolled_mnist --workdir runs/unrolled_mnist

Metz et al. 2017, arXiv:1611.02163. Adam's eps_root keeps the derivative of its root finite. Expect noisy
digits, mostly 4, 7, 8 and 9: the fully connected networks are slow learners and the look ahead slows them
further; 15 minutes on two x86 cores with tests beside it.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 64
    config.num_steps = 5_000
    config.steps_per_call = 10
    config.log_every_steps = 100
    config.checkpoint_every_steps = 1_000
    config.sample_every_steps = 1_000
    config.data.name = "mnist"
    config.algorithm = dict(name="unrolled", unrolled_steps=5)
    config.ema = dict(name="decay", decay=0.995)
    config.generator = dict(name="mlp_generator", widths=(256, 512, 1024), activation="leaky_relu")
    config.discriminator = dict(name="mlp_discriminator", widths=(512, 256))
    config.generator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5)
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, eps_root=1e-8)
    return config
