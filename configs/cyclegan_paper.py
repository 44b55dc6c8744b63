"""CycleGAN at the paper's size (Zhu et al. 2017, arXiv:1703.10593): 256x256, horses to zebras for example.

    gan-jax train --config cyclegan_paper --workdir runs/horse2zebra \\
        --config.data.folder=horse2zebra

The folder is one of the official data sets, with trainA, trainB, testA and testB. Nine residual blocks
(11.4 million parameters each), PatchGANs of 70 pixels, batch 1, 200 epochs of the 1,334 zebras: for a GPU.
Traced and counted in the tests and compiled for one step; not trained here.
"""

import ml_collections

from gan_jax.config.build import base_config

EPOCH = 1_334


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 1
    config.num_steps = 200 * EPOCH
    config.sample_every_steps = 5 * EPOCH
    config.checkpoint_every_steps = 5 * EPOCH
    config.data.update(name="unpaired", folder="horse2zebra", height=256, random_crop=30, flip=True)
    config.algorithm = dict(name="cyclegan", cycle=10.0, identity=0.5, pool_size=50)
    config.loss = dict(name="least_squares")
    config.generator = dict(name="resnet_translator_pair", blocks=9)
    config.discriminator = dict(name="patchgan_discriminator_pair", layers=3)
    rate = dict(name="linear", start=2e-4, end=0.0, steps=100 * EPOCH, delay=100 * EPOCH)
    config.generator_optimizer = dict(name="adam", learning_rate=rate, b1=0.5)
    config.discriminator_optimizer = dict(name="adam", learning_rate=rate, b1=0.5)
    return config
