"""VAE-GAN on Fashion-MNIST: 10 epochs of 937 batches.

    gan-jax data prepare fashion_mnist
    gan-jax train --config vae_gan_fashion_mnist --workdir runs/vae_gan_fashion_mnist
    gan-jax evaluate --fake runs/vae_gan_fashion_mnist --metrics fid,reconstruction --num 10000

Larsen et al. 2016, arXiv:1512.09300, with a decoder and a discriminator as large as those of
`dcgan_fashion_mnist`: pictures are compared in the discriminator's second layer. All steps are 23 minutes
on two x86 cores; 1,212 were made: outlines of garments in a coarse pattern (experiments/comparison).
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 64
    epoch = 60_000 // config.get_ref("batch_size")  # follows --config.batch_size
    config.num_steps = 10 * epoch
    config.steps_per_call = 25
    config.log_every_steps = 125
    config.checkpoint_every_steps = epoch
    config.sample_every_steps = epoch
    config.data.name = "fashion_mnist"
    config.algorithm = dict(
        name="vae_gan",
        latent_size=32,
        layer="dropout_1",
        feature_weight=1.0,
        beta=1.0,
        adversarial_weight=1.0,
    )
    config.loss = dict(name="non_saturating")
    config.ema = dict(name="half_life", images=20_000)
    config.generator = dict(name="conv_autoencoder", widths=(64, 128), kernel_size=5, hidden=256)
    config.discriminator = dict(name="dcgan_discriminator", widths=(64, 128), kernel_size=5, dropout=0.0)
    config.generator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.999)
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5, b2=0.999)
    return config
