"""SpecGAN as published, for sounds of 16,384 samples of a folder of WAV files.

    gan-jax train --config specgan_paper --workdir runs/specgan_paper --config.data.folder=FOLDER

Donahue et al. 2019, arXiv:1802.04208, section 4.2 and appendix D: spectrograms of 128 x 128 (windows of 256
samples, steps of 128, logarithms, per bin normalised and clipped at three deviations), networks of the same
19,065,345 and 17,427,969 parameters as WaveGAN's, Griffin and Lim's method with 16 iterations; WGAN-GP with
lambda 10, five critic steps, batches of 64, Adam at 1e-4 with betas 0.5 and 0.9. Built and counted, not
trained here.
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
    config.data.form = "spectrogram"
    config.algorithm = dict(name="gan", latent="uniform", latent_size=100, discriminator_steps=5)
    config.loss = dict(name="wasserstein")
    config.penalties = dict(wgan_gp=dict(weight=10.0))
    config.ema = dict(name="none")
    config.generator = dict(
        name="dcgan_generator", widths=(1024, 512, 256, 128, 64), kernel_size=5, norm="none", condition="none"
    )
    config.discriminator = dict(
        name="dcgan_discriminator", widths=(64, 128, 256, 512, 1024), kernel_size=5, condition="none"
    )
    config.generator_optimizer = dict(name="adam", learning_rate=1e-4, b1=0.5, b2=0.9)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-4, b1=0.5, b2=0.9)
    return config
