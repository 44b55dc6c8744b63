"""Conditional DCGAN on MNIST: the label's embedding joins the latent and, as a plane, the image.

    gan-jax data prepare mnist
    gan-jax train --config cgan_mnist --workdir runs/cgan_mnist
    gan-jax sample --workdir runs/cgan_mnist --label 7 --out sevens.png

Mirza and Osindero 2014, arXiv:1411.1784, as the first course writes it. Expect the right digit in every
row: a classifier that is right on 98.8 % of the test images names 96.5 % of the samples as asked
(`experiments/gallery/judge.py`); 22 minutes on two x86 cores with tests beside it.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 64
    config.num_steps = 10_000
    config.steps_per_call = 25
    config.log_every_steps = 100
    config.checkpoint_every_steps = 1_000
    config.sample_every_steps = 1_000
    config.data.name = "mnist"
    config.algorithm = dict(name="gan")
    config.ema = dict(name="decay", decay=0.995)
    config.generator = dict(name="dcgan_generator", widths=(64, 32), condition="embedding")
    config.discriminator = dict(
        name="dcgan_discriminator", widths=(32, 64), dropout=0.3, condition="embedding"
    )
    config.generator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.999)
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.999)
    return config
