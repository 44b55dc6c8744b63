"""The thesis's DCGAN on Fashion-MNIST: 20 epochs of 1,875 batches.

    gan-jax data prepare fashion_mnist
    gan-jax train --config dcgan_fashion_mnist --workdir runs/dcgan_fashion_mnist

The networks are the thesis's, layer by layer; optimizer, rates and activation are ours. Expect all ten
kinds of garment (`experiments/dcgan_fashion_mnist/`), 31 to 35 minutes on two x86 cores. Sampling uses
averaged weights.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 32
    epoch = 60_000 // config.get_ref("batch_size")  # follows --config.batch_size
    config.num_steps = 20 * epoch
    config.steps_per_call = 25
    config.log_every_steps = 125
    config.checkpoint_every_steps = epoch
    config.sample_every_steps = epoch
    config.data.name = "fashion_mnist"
    config.algorithm = dict(
        name="gan",
        discriminator_steps=1,
        latent_size=100,
        latent="normal",
    )
    config.loss = dict(name="non_saturating")
    config.ema = dict(name="decay", decay=0.999)
    config.generator = dict(
        name="dcgan_generator",
        widths=(128, 64),
        kernel_size=5,
        output_kernel_size=0,
        activation="selu",
        norm_first=False,
        upsampling="transpose",
        momentum=0.99,
        initializer="glorot_uniform",
    )
    config.discriminator = dict(
        name="dcgan_discriminator",
        widths=(64, 128),
        kernel_size=5,
        activation="leaky_relu",
        dropout=0.4,
        norm="none",
        momentum=0.99,
        initializer="glorot_uniform",
    )
    config.generator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.999, eps=1e-8)
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.999, eps=1e-8)
    return config
