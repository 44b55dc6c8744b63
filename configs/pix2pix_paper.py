"""Pix2Pix at the paper's size (Isola et al. 2017, arXiv:1611.07004): 256x256, facades for example.

    gan-jax train --config pix2pix_paper --workdir runs/facades --config.data.folder=facades

The folder is one of the official data sets, with side-by-side pictures in train, val and test; b_to_a, as
facades are learnt from their labels, is --config.data.direction=b_to_a. A U-Net of eight halvings (54.4
million parameters), PatchGAN of 70 pixels, batch 1, 200 epochs of 400 pictures: about two hours on a GPU in
the paper. Traced and counted in the tests and compiled for one step; not trained here.
"""

import ml_collections

from gan_jax.config.build import base_config

EPOCH = 400


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 1
    config.num_steps = 200 * EPOCH
    config.sample_every_steps = 5 * EPOCH
    config.checkpoint_every_steps = 5 * EPOCH
    config.data.update(name="pairs_folder", folder="facades", height=256, random_crop=30, flip=True)
    config.algorithm = dict(name="translator")
    config.source = dict(name="field")
    config.contents = dict(l1=dict(weight=100.0))
    config.loss = dict(name="non_saturating")
    config.generator = dict(name="unet_generator", downs=8)
    config.discriminator = dict(name="patchgan_discriminator", layers=3)
    config.generator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5)
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5)
    return config
