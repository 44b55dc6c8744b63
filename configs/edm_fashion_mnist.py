"""EDM on Fashion-MNIST: the small U-Net of `ddpm_fashion_mnist`, whose inputs and answers have unit variance.

    gan-jax data prepare fashion_mnist
    gan-jax train --config edm_fashion_mnist --workdir runs/edm_fashion
    gan-jax sample --workdir runs/edm_fashion --out samples.png --guidance 2

Karras et al. 2022, arXiv:2206.00364: its noise levels, scales and sampler (Heun, 18 steps, 35 evaluations);
no augmentation and no dropout. Told the class, but for a tenth of the examples, so that it can be guided
(arXiv:2207.12598); without labels: --config.generator.condition=none. All steps are 10 minutes on
two x86 cores; 1,158 were made, without labels: garments with frayed edges (experiments/comparison).
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
    config.algorithm = dict(name="diffusion", label_dropout=0.1)
    config.process = dict(name="edm", data_std=0.5)
    config.sampler = dict(name="heun", steps=18, guidance=1.0)
    config.ema = dict(name="half_life", images=20_000)
    config.generator = dict(
        name="diffusion_unet",
        width=24,
        multipliers=(1, 2, 2),
        depth=1,
        attention_sizes=(7,),
        block="ddpm",
        condition="one_hot",
    )
    config.generator_optimizer = dict(
        name="adam", learning_rate=dict(name="linear", start=1e-5, end=1e-3, steps=200), b1=0.9
    )
    return config
