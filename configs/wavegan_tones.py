"""WaveGAN on synthetic tones of an eighth of a second, at a quarter of the paper's widths.

    gan-jax train --config wavegan_tones --workdir runs/wavegan_tones
    gan-jax sample runs/wavegan_tones --num 16 --out tones/

Donahue et al. 2019, arXiv:1802.04208: WGAN-GP with lambda 10, five critic steps, Adam with betas 0.5 and
0.9, phase shuffle of 2, latents uniform in [-1, 1]. The rate is twice the paper's 1e-4, because this run is
short. Half a second: --config.data.length=4096, four times the work. Of 10,000 steps 2,000 were made, which
is noise with a note in it (experiments/signals): not trained to its end.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 16
    config.num_steps = 10_000
    config.steps_per_call = 10
    config.log_every_steps = 50
    config.checkpoint_every_steps = 500
    config.sample_every_steps = 1_000
    config.data.name = "tones"
    config.data.length = 1_024
    config.algorithm = dict(name="gan", latent="uniform", latent_size=100, discriminator_steps=5)
    config.loss = dict(name="wasserstein")
    config.penalties = dict(wgan_gp=dict(weight=10.0))
    config.ema = dict(name="decay", decay=0.995)
    config.generator = dict(name="wavegan_generator", dim=16, layers=4, condition="none")
    config.discriminator = dict(name="wavegan_discriminator", dim=16, layers=4, condition="none")
    config.generator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.9)
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.9)
    return config
