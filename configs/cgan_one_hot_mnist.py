"""Conditional DCGAN on MNIST: one-hot labels beside the latent, one-hot planes beside the image.

    gan-jax data prepare mnist
    gan-jax train --config cgan_one_hot_mnist --workdir runs/cgan_one_hot_mnist

Mirza and Osindero 2014, arXiv:1411.1784, as the second course writes it. Expect the right digit in most
rows: a classifier that is right on 98.8 % of the test images names 84.5 % of the samples as asked; 10
minutes on two x86 cores with tests beside it.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 64
    config.num_steps = 5_000
    config.steps_per_call = 25
    config.log_every_steps = 100
    config.checkpoint_every_steps = 1_000
    config.sample_every_steps = 1_000
    config.data.name = "mnist"
    config.algorithm = dict(name="gan")
    config.ema = dict(name="decay", decay=0.995)
    config.generator = dict(name="dcgan_generator", widths=(64, 32), condition="one_hot")
    config.discriminator = dict(name="dcgan_discriminator", widths=(32, 64), dropout=0.3, condition="one_hot")
    config.generator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.999)
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.999)
    return config
