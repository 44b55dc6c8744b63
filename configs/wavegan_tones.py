"""WaveGAN's networks on synthetic tones of an eighth of a second, at a quarter of the paper's widths.

    gan-jax train --config wavegan_tones --workdir runs/wavegan_tones
    gan-jax sample runs/wavegan_tones --num 16 --out tones/

Donahue et al. 2019, arXiv:1802.04208: phase shuffle of 2, latents uniform in [-1, 1]. The objective is that
of Huang et al. 2024, arXiv:2501.05441, relativistic pairs with R1 and R2: with the paper's WGAN-GP so small a
network learns several times slower (`experiments/signals`). Half a second: --config.data.length=4096, four
times the work. Expect low notes in tune under some noise, three of five with a clear pitch, hardly an
overtone; 34 minutes on one of two x86 cores.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 16
    config.num_steps = 40_000
    config.steps_per_call = 25
    config.log_every_steps = 100
    config.checkpoint_every_steps = 1_000
    config.sample_every_steps = 5_000
    config.data.name = "tones"
    config.data.length = 1_024
    config.algorithm = dict(name="gan", latent="uniform", latent_size=100)
    config.loss = dict(name="relativistic_paired")
    gamma = dict(name="cosine", start=1.0, end=0.1, steps=config.get_ref("num_steps"))
    config.penalties = dict(r1=dict(weight=dict(gamma)), r2=dict(weight=dict(gamma)))
    config.ema = dict(name="decay", decay=0.999)
    config.generator = dict(name="wavegan_generator", dim=16, layers=4, condition="none")
    config.discriminator = dict(name="wavegan_discriminator", dim=16, layers=4, condition="none")
    rate = dict(name="cosine", start=5e-4, end=5e-5, steps=config.get_ref("num_steps"))
    config.generator_optimizer = dict(name="adam", learning_rate=dict(rate), b1=0.0, b2=0.99)
    config.discriminator_optimizer = dict(name="adam", learning_rate=dict(rate), b1=0.0, b2=0.99)
    return config
