"""SNGAN: a residual network with spectral normalisation and the hinge loss, 32x32 in colour.

    gan-jax train --config configs/sngan_shapes.py --workdir runs/sngan_shapes

Miyato et al. 2018, arXiv:1802.05957, setting of appendix B.4 (Adam at 2e-4, betas 0 and 0.9, five discriminator
steps), with a sixth to an eighth of its widths so that a CPU can train it; the paper's are widths=(256, 256, 256, 256) and
(128, 128, 128, 128). RESULT
"""

import ml_collections

from gan_jax.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 32
    config.num_steps = 2_000
    config.steps_per_call = 10
    config.log_every_steps = 50
    config.checkpoint_every_steps = 500
    config.sample_every_steps = 500
    config.data.update(name="shapes", resolution=32, channels=3, num_examples=20_000)
    config.algorithm = dict(name="gan", discriminator_steps=5, latent_size=128)
    config.loss = dict(name="hinge")
    config.ema = dict(name="decay", decay=0.99)
    config.generator = dict(name="resnet_generator", widths=(48, 32, 24, 16))
    config.discriminator = dict(name="resnet_discriminator", widths=(16, 24, 32, 32), spectral_norm=True)
    config.generator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.0, b2=0.9)
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.0, b2=0.9)
    return config
