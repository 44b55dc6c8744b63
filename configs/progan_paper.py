"""ProGAN at the paper's sizes (Karras et al. 2018, arXiv:1710.10196): 1024x1024, or a smaller power of two.

    gan-jax train --config progan_paper:256 --workdir runs/progan --config.data.folder=PICTURES

Appendix A.1, the official code's "v1": from 4x4, 800,000 images at each resolution and as many to fade it in;
at the last one until 19 million have been shown. 16 images in a step up to 128x128, 14, 6 and 3 at 256, 512
and 1024; the deviation of the minibatch is of all of them. 23.1 million parameters each at 1024x1024.
Built and counted, not trained here: it needs a GPU for weeks.
"""

import ml_collections

from gan_jax.config.build import base_config
from gan_jax.config.growing_phases import growing_phases, steps_of

EACH, TOTAL = 800_000, 19_000_000  # images


def get_config(resolution: str = "1024") -> ml_collections.ConfigDict:
    side = int(resolution)
    sides = [2**power for power in range(2, 11) if 2**power <= side]
    config = base_config()
    config.phases = growing_phases(
        sides,
        images=dict.fromkeys(sides, EACH) | {side: TOTAL - 2 * EACH * (len(sides) - 1)},
        fade_images=EACH,
        batch_size=dict.fromkeys(sides, 16) | {256: 14, 512: 6, 1024: 3},
    )
    config.batch_size = config.phases[0]["batch_size"]
    config.num_steps = steps_of(config.phases)
    config.steps_per_call = 100
    config.log_every_steps = 500
    config.checkpoint_every_steps = 10_000
    config.sample_every_steps = 10_000
    config.data.update(name="image_folder", folder="", height=side, flip=True)
    config.algorithm = dict(name="growing", latent_size=512)
    config.loss = dict(name="wasserstein")
    config.penalties = dict(wgan_gp=dict(weight=10.0), drift=dict(weight=1e-3))
    config.ema = dict(name="decay", decay=0.999)
    config.generator = dict(name="progan_generator")
    config.discriminator = dict(name="progan_discriminator", minibatch="stddev_strided", minibatch_group=16)
    config.generator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.0, b2=0.99)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.0, b2=0.99)
    return config
