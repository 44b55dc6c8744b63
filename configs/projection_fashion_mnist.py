"""Class-conditional Fashion-MNIST: conditional BatchNorm and a projection discriminator.

    gan-jax data prepare fashion_mnist
    gan-jax train --config projection_fashion_mnist --workdir runs/projection_fashion_mnist

Miyato and Koyama 2018, arXiv:1802.05637, with spectral normalisation and the hinge loss, on a small DCGAN.
Expect the right garment in every row, with grainy surfaces: a classifier that is right on 89.5 % of the
test images names 85.4 % of the samples as asked; 5 minutes on two x86 cores with tests beside it.
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
    config.data.name = "fashion_mnist"
    config.algorithm = dict(name="gan")
    config.loss = dict(name="hinge")
    config.ema = dict(name="decay", decay=0.995)
    config.generator = dict(name="dcgan_generator", widths=(64, 32), condition="batch_norm")
    config.discriminator = dict(
        name="dcgan_discriminator", widths=(32, 64), condition="projection", spectral_norm=True
    )
    config.generator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.0, b2=0.9)
    config.discriminator_optimizer = dict(name="adam", learning_rate=4e-4, b1=0.0, b2=0.9)
    return config
