"""The embedded default, `make train`: a small conditional DCGAN on procedural shapes, 28x28x1.

    gan-jax train --config dcgan_shapes --workdir runs/dcgan_shapes

Radford et al. 2016 (arXiv:1511.06434) with two layers in each network, without BatchNorm in the
discriminator. Three remedies make pictures one can name within two minutes on two cores: BatchNorm by class
in the generator and a projection discriminator (Miyato and Koyama 2018, arXiv:1802.05637), both only where
the data have classes, and R1 at every fourth step (Mescheder et al. 2018, arXiv:1801.04406).

113 seconds on two x86 cores, and 6 more the first time, for the data and the compiler. By eye 62 of the 64
figures can be named (`experiments/gallery/dcgan_shapes.png`), and in colour (--config.data.channels=3), which
is harder, about two thirds.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 32
    config.num_steps = 10_000
    config.log_every_steps = 50
    config.data.update(name="shapes", resolution=28, channels=1)
    config.algorithm = dict(name="gan", latent_size=64)
    config.loss = dict(name="non_saturating")
    config.penalties.r1 = dict(weight=1.0, every=4)
    config.ema = dict(name="decay", decay=0.999)
    config.generator = dict(
        name="dcgan_generator", widths=(64, 32), condition="auto", momentum=0.9, initializer="normal"
    )
    config.discriminator = dict(
        name="dcgan_discriminator", widths=(32, 64), condition="auto", initializer="normal"
    )
    config.generator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.5)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.5)
    return config
