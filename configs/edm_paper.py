"""EDM at its published size for 32x32: 55.7 million parameters. For accelerators; not trained here.

    gan-jax train --config edm_paper --workdir runs/edm --config.data.folder=PICTURES

Karras et al. 2022, arXiv:2206.00364, table 7, of CIFAR-10 without labels; the pictures are yours: any folder.
The DDPM++ network, batches of 512, 200 million images, Adam with 1e-3 after 10 million images of warm-up,
dropout 0.13, an average with a half-life of 500,000 images, Heun's sampler in 18 steps. Not here: the
augmentation of the examples and its labels' layer, 1,152 of the paper's 55,733,891 parameters; half of the
examples are mirrored in its place.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 512
    config.num_steps = 390_625
    config.steps_per_call = 25
    config.log_every_steps = 250
    config.checkpoint_every_steps = 5_000
    config.sample_every_steps = 5_000
    config.data.update(name="image_folder", folder="", height=32, width=32, channels=3, flip=True)
    config.algorithm = dict(name="diffusion")
    config.process = dict(name="edm")
    config.sampler = dict(name="heun", steps=18)
    config.ema = dict(name="half_life", images=500_000, ramp_up=0.05)
    config.generator = dict(
        name="diffusion_unet",
        width=128,
        multipliers=(2, 2, 2),
        depth=4,
        attention_sizes=(16,),
        dropout=0.13,
        block="ddpm++",
    )
    config.generator_optimizer = dict(
        name="adam",
        learning_rate=dict(name="linear", start=0.0, end=1e-3, steps=19_531),
        b1=0.9,
        finite_gradients=True,
    )
    return config
