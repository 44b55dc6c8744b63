"""The MLP GAN on the ring of eight Gaussians: points of the plane, so that one can watch where they go.

    gan-jax train --config gan_ring --workdir runs/gan_ring

The ring of Unrolled GAN (Metz et al. 2016, arXiv:1611.02163, appendix): radius 2, std 0.02. 19 seconds on two
x86 cores with other work beside it, nine pictures among them. With two latents and seed 0, the points have
found 7 modes after 500 steps and all 8 after 2,000, with 58 % of them within three standard deviations of
one; the others lie on the way from mode to mode. With the paper's 256 latents
(`--config.algorithm.latent_size=256`) the same run ends as one blob that is near no mode: mode collapse. Seed
1 of that reaches all 8, so a single run says little.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 512
    config.num_steps = 2_000
    config.steps_per_call = 100
    config.log_every_steps = 100
    config.checkpoint_every_steps = 1_000
    config.sample_every_steps = 250
    config.data.update(name="ring", modes=8, radius=2.0, std=0.02, num_examples=100_000, seed=0)
    config.algorithm = dict(name="gan", latent_size=2, latent="normal")
    config.generator = dict(
        name="mlp_generator", widths=(128, 128), activation="relu", norm="none", output="linear"
    )
    config.discriminator = dict(name="mlp_discriminator", widths=(128, 128), activation="relu")
    config.generator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.5)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.5)
    return config
