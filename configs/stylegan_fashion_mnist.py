"""StyleGAN (Karras et al. 2019, arXiv:1812.04948), small and grown: Fashion-MNIST at 7x7, 14x14 and 28x28.

    gan-jax data prepare fashion_mnist
    gan-jax train --config stylegan_fashion_mnist --workdir runs/stylegan_fashion_mnist

A mapping network, a learned constant, a style and noise at every layer, mixed styles; trained as in the paper
with the non-saturating loss, R1 at every step, and an average whose half life is 10,000 images. Phases as in
`progan_fashion_mnist.py`. Deviations, for two cores: the lowest resolution is 7x7, and trained first; at most
64 channels, two mapping layers of 64 (0.19 and 0.34 million parameters); 16 images in a step, 260,000 in all;
gamma 1 in the place of 10, as the pictures are small. Not trained yet.
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
    config.loss = dict(name="non_saturating")
    config.penalties = dict(r1=dict(weight=1.0))
    config.ema = dict(name="half_life", images=10_000)
    config.generator = dict(
        name="stylegan_generator", width_base=256, width_max=64, style_size=64, mapping_layers=2
    )
    config.discriminator = dict(
        name="progan_discriminator", width_base=256, width_max=64, blur=True, minibatch="stddev_strided"
    )
    config.generator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.0, b2=0.99)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.0, b2=0.99)
    return config
