"""WGAN on MNIST, with the course's critic 512-256.

    gan-jax data prepare mnist
    gan-jax train --config wgan_mnist --workdir runs/wgan_mnist

Arjovsky, Chintala, Bottou 2017, arXiv:1701.07875, algorithm 1: the critic's weights clipped to [-0.01,
0.01], RMSprop at 5e-5, five critic steps to one of the generator. Expect digits of uneven quality, many of
them still broken, and no collapse; 12 minutes on two x86 cores with tests beside it.
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
    config.algorithm = dict(name="gan", discriminator_steps=5)
    config.loss = dict(name="wasserstein")
    config.ema = dict(name="decay", decay=0.999)
    config.generator = dict(name="mlp_generator", widths=(256, 512, 1024), activation="leaky_relu")
    config.discriminator = dict(name="mlp_discriminator", widths=(512, 256))
    config.generator_optimizer = dict(name="rmsprop", learning_rate=5e-5, decay=0.99)
    config.discriminator_optimizer = dict(name="rmsprop", learning_rate=5e-5, decay=0.99, weight_clip=0.01)
    return config
