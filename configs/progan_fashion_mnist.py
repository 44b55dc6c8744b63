"""ProGAN (Karras et al. 2018, arXiv:1710.10196), small: Fashion-MNIST at 7x7, 14x14 and 28x28.

    gan-jax data prepare fashion_mnist
    gan-jax train --config progan_fashion_mnist --workdir runs/progan_fashion_mnist

Five phases: each resolution is faded in and then trained, as many images as are named below. As in the paper
the loss is WGAN-GP with drift, Adam at 1e-3 without a first moment forgets at both ends of a fade, and
pictures are drawn with averaged weights. Deviations, for two cores: the lowest resolution is 7x7; at most 64
channels and 64 latents (0.34 million parameters each); 16 images in a step; fewer of them: 260,000 in all.
Half an hour on one x86 core. Expect garments of every kind, shoes the best: FID 74.6, precision 0.68, recall
0.46 (`experiments/six_gans`).
"""

import ml_collections

from gan_jax.config.build import base_config
from gan_jax.config.growing_phases import growing_phases, steps_of


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 16
    config.phases = growing_phases(
        (7, 14, 28),
        images={7: 20_000, 14: 20_000, 28: 170_000},
        fade_images={14: 20_000, 28: 30_000},
        batch_size=config.batch_size,
    )
    config.num_steps = steps_of(config.phases)
    config.steps_per_call = 25
    config.log_every_steps = 125
    config.checkpoint_every_steps = 1_250
    config.sample_every_steps = 1_250
    config.data.name = "fashion_mnist"
    config.algorithm = dict(name="growing", latent_size=64)
    config.loss = dict(name="wasserstein")
    config.penalties = dict(wgan_gp=dict(weight=10.0), drift=dict(weight=1e-3))
    config.ema = dict(name="decay", decay=0.999)
    config.generator = dict(name="progan_generator", width_base=256, width_max=64)
    config.discriminator = dict(
        name="progan_discriminator", width_base=256, width_max=64, minibatch="stddev_strided"
    )
    config.generator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.0, b2=0.99)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.0, b2=0.99)
    return config
