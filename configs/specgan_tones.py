"""SpecGAN on synthetic tones of half a second, at a quarter of the paper's widths.

    gan-jax train --config specgan_tones --workdir runs/specgan_tones
    gan-jax sample runs/specgan_tones --num 16 --out tones/

Donahue et al. 2019, arXiv:1802.04208: a DCGAN without norms makes spectrograms, here of 128 bins and 32
frames, and Griffin and Lim's method sounds of them. WGAN-GP with lambda 10, five critic steps, Adam with
betas 0.5 and 0.9, at twice the paper's rate of 1e-4, because this run is short. Expect harmonics and
envelopes, a clear pitch in four of five sounds, and pitches off the scale, which is the spectrogram's doing
(`experiments/signals`); 19 minutes on one of two x86 cores.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 16
    config.num_steps = 3_000
    config.steps_per_call = 10
    config.log_every_steps = 50
    config.checkpoint_every_steps = 250
    config.sample_every_steps = 500
    config.data.name = "tones"
    config.data.form = "spectrogram"
    config.algorithm = dict(name="gan", latent="uniform", latent_size=100, discriminator_steps=5)
    config.loss = dict(name="wasserstein")
    config.penalties = dict(wgan_gp=dict(weight=10.0))
    config.ema = dict(name="decay", decay=0.995)
    config.generator = dict(
        name="dcgan_generator", widths=(128, 64, 32, 16), kernel_size=5, norm="none", condition="none"
    )
    config.discriminator = dict(
        name="dcgan_discriminator", widths=(16, 32, 64, 128), kernel_size=5, condition="none"
    )
    config.generator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.9)
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.9)
    return config
