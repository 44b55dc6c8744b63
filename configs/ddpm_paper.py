"""DDPM at its published size for 32x32: 35,746,307 parameters. For accelerators; not trained here.

    gan-jax train --config ddpm_paper --workdir runs/ddpm --config.data.folder=PICTURES

Ho et al. 2020, arXiv:2006.11239, appendix B, of CIFAR-10 (the pictures are yours: any folder): Adam with 2e-4
after 5,000 steps of warm-up, dropout 0.1, half of the examples mirrored, averages of 0.9999, 1,000 steps of
ancestral sampling. Not here: gradients clipped to a norm of 1, and the larger of the two variances of
ancestral steps, which the official code takes for CIFAR-10.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 128
    config.num_steps = 800_000
    config.steps_per_call = 25
    config.log_every_steps = 250
    config.checkpoint_every_steps = 10_000
    config.sample_every_steps = 10_000
    config.data.update(name="image_folder", folder="", height=32, width=32, channels=3, flip=True)
    config.algorithm = dict(name="diffusion")
    config.process = dict(name="ddpm", noise_steps=1000, first_beta=1e-4, last_beta=0.02)
    config.sampler = dict(name="ancestral", steps=1000)
    config.ema = dict(name="decay", decay=0.9999)
    config.generator = dict(
        name="diffusion_unet",
        width=128,
        multipliers=(1, 2, 2, 2),
        depth=2,
        attention_sizes=(16,),
        dropout=0.1,
        block="ddpm",
    )
    config.generator_optimizer = dict(
        name="adam", learning_rate=dict(name="linear", start=0.0, end=2e-4, steps=5_000), b1=0.9
    )
    return config
