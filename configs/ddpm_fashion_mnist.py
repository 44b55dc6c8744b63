"""DDPM on Fashion-MNIST with a small U-Net, 28 -> 14 -> 7 with attention at 7: a picture is made of noise.

    gan-jax data prepare fashion_mnist
    gan-jax train --config ddpm_fashion_mnist --workdir runs/ddpm_fashion
    gan-jax sample --workdir runs/ddpm_fashion --out samples.png --steps 100

Ho et al. 2020, arXiv:2006.11239: its process of 1,000 noise levels and its blocks; the width, depth and no
dropout are a CPU's (0.63 M parameters, not 35.7 M). Pictures are drawn in 50 ancestral steps, with averaged
weights. All steps are 10 minutes on two x86 cores; 1,158 were tried, after which the classifier's FID is that
of `edm_fashion_mnist` (130 and 125, in random features 2.8 and 0.66); drawn by DDIM's 50 steps half of the
pictures are noise (experiments/comparison).
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 64
    config.num_steps = 2_500
    config.steps_per_call = 10
    config.log_every_steps = 50
    config.checkpoint_every_steps = 500
    config.sample_every_steps = 500
    config.data.name = "fashion_mnist"
    config.algorithm = dict(name="diffusion")
    config.process = dict(name="ddpm")
    config.sampler = dict(name="ancestral", steps=50)
    config.ema = dict(name="half_life", images=20_000)
    config.generator = dict(
        name="diffusion_unet", width=24, multipliers=(1, 2, 2), depth=1, attention_sizes=(7,), block="ddpm"
    )
    config.generator_optimizer = dict(
        name="adam", learning_rate=dict(name="linear", start=1e-5, end=1e-3, steps=200), b1=0.9
    )
    return config
