"""StyleGAN at the paper's sizes (Karras et al. 2019, arXiv:1812.04948): FFHQ at 1024x1024, or a smaller one.

    gan-jax train --config stylegan_paper:256 --workdir runs/stylegan --config.data.folder=PICTURES

The official train.py with eight GPUs: from 8x8, 600,000 images at each resolution and as many to fade it in;
at the last one until 25 million have been shown. 256 images in a step at 8x8, then 128, 64 and from 64x64 on
32; rates 0.001, from 128x128 on 0.0015, 0.002 and 0.003. R1 with gamma 10 at every step; an average whose
half life is 10,000 images. 26.2 and 23.1 million parameters at 1024x1024.
Built and counted, not trained here: it needs eight GPUs for a week.
"""

import ml_collections

from gan_jax.config.build import base_config
from gan_jax.config.growing_phases import growing_phases, steps_of

EACH, TOTAL = 600_000, 25_000_000  # images


def get_config(resolution: str = "1024") -> ml_collections.ConfigDict:
    side = int(resolution)
    sides = [2**power for power in range(3, 11) if 2**power <= side]
    config = base_config()
    config.phases = growing_phases(
        sides,
        images=dict.fromkeys(sides, EACH) | {side: TOTAL - 2 * EACH * (len(sides) - 1)},
        fade_images=EACH,
        batch_size=dict.fromkeys(sides, 32) | {8: 256, 16: 128, 32: 64},
        learning_rate=dict.fromkeys(sides, 1e-3) | {128: 1.5e-3, 256: 2e-3, 512: 3e-3, 1024: 3e-3},
    )
    config.batch_size = config.phases[0]["batch_size"]
    config.num_steps = steps_of(config.phases)
    config.steps_per_call = 100
    config.log_every_steps = 500
    config.checkpoint_every_steps = 5_000
    config.sample_every_steps = 5_000
    config.data.update(name="image_folder", folder="", height=side, flip=True)
    config.algorithm = dict(name="growing", latent_size=512)
    config.loss = dict(name="non_saturating")
    config.penalties = dict(r1=dict(weight=10.0))
    config.ema = dict(name="half_life", images=10_000, ramp_up=0.0)
    config.generator = dict(name="stylegan_generator")
    config.discriminator = dict(name="progan_discriminator", blur=True, minibatch="stddev_strided")
    config.generator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.0, b2=0.99)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.0, b2=0.99)
    return config
