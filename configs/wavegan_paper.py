"""WaveGAN as published, for sounds of 16,384 samples of a folder of WAV files.

    gan-jax train --config wavegan_paper --workdir runs/wavegan_paper --config.data.folder=FOLDER

Donahue et al. 2019, arXiv:1802.04208, appendix D: 64 to 1,024 channels (19,065,345 and 17,427,969
parameters), latents uniform in [-1, 1], phase shuffle of 2, WGAN-GP with lambda 10, five critic steps,
batches of 64, Adam at 1e-4 with betas 0.5 and 0.9. Deviation: the phase shuffle has a number for each
example, where the official code has one for a batch. Built and counted, not trained here.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 64
    config.num_steps = 200_000
    config.steps_per_call = 10
    config.log_every_steps = 100
    config.checkpoint_every_steps = 1_000
    config.sample_every_steps = 5_000
    config.data.name = "waves"
    config.data.folder = "sounds"
    config.data.length = 16_384
    config.data.rate = 16_000
    config.algorithm = dict(name="gan", latent="uniform", latent_size=100, discriminator_steps=5)
    config.loss = dict(name="wasserstein")
    config.penalties = dict(wgan_gp=dict(weight=10.0))
    config.ema = dict(name="none")
    config.generator = dict(name="wavegan_generator", dim=64, condition="none")
    config.discriminator = dict(name="wavegan_discriminator", dim=64, phase_shuffle=2, condition="none")
    config.generator_optimizer = dict(name="adam", learning_rate=1e-4, b1=0.5, b2=0.9)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-4, b1=0.5, b2=0.9)
    return config
