"""The MLP GAN on procedural shapes, 28x28x1: the quickest run that makes pictures.

    gan-jax train --config gan_shapes --workdir runs/gan_shapes

Goodfellow et al. 2014 (arXiv:1406.2661): fully connected networks, told the class, with R1 on the
discriminator. Expect figures one can name, with the grain of networks that learn each pixel by itself.
63 s on x86 cores, of processor time (`experiments/gallery`).
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.num_steps = 4_000
    config.steps_per_call = 50
    config.data.update(name="shapes", resolution=28, channels=1)
    config.algorithm = dict(name="gan", latent_size=100)
    config.loss = dict(name="non_saturating")
    config.penalties.r1 = dict(weight=0.3)
    config.ema = dict(name="decay", decay=0.999)
    config.generator = dict(
        name="mlp_generator",
        widths=(512, 512),
        activation="relu",
        norm="batch",
        momentum=0.8,
        condition="auto",
    )
    config.discriminator = dict(name="mlp_discriminator", widths=(512, 512), condition="auto")
    config.generator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.5)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.5)
    return config
