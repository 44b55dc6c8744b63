"""SNGAN on MNIST: a residual network with spectral normalisation and the hinge loss.

    gan-jax data prepare mnist
    gan-jax train --config sngan_mnist --workdir runs/sngan_mnist

Miyato et al. 2018, arXiv:1802.05957, the setting of appendix B.4 (Adam at 2e-4, betas 0 and 0.9, five
discriminator steps), with narrow networks so that a CPU can train them. The paper's, for 32x32, are the
networks' defaults: widths (256, 256, 256, 256) and (128, 128, 128, 128). Expect digit-like strokes with
clean edges, over half of them legible; 18 minutes on two x86 cores with another training and tests beside
it.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 32
    config.num_steps = 1_500
    config.steps_per_call = 10
    config.log_every_steps = 50
    config.checkpoint_every_steps = 250
    config.sample_every_steps = 250
    config.data.name = "mnist"
    config.algorithm = dict(name="gan", discriminator_steps=5, latent_size=128)
    config.loss = dict(name="hinge")
    config.ema = dict(name="decay", decay=0.99)
    config.generator = dict(name="resnet_generator", widths=(64, 48, 32, 24))
    config.discriminator = dict(name="resnet_discriminator", widths=(16, 32, 48, 48), spectral_norm=True)
    config.generator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.0, b2=0.9)
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.0, b2=0.9)
    return config
