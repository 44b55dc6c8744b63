"""Colouring (Isola et al. 2017, arXiv:1611.07004, section 4.2): a and b of lightness, on Kodak photographs.

    python experiments/kodak/prepare.py --out kodak
    gan-jax train --config colouring_kodak --workdir runs/colouring_kodak

486 tiles of 128x128 from photographs 1 to 18 at a third of their size; 19 to 24 are held out
(`experiments/kodak`). A U-Net of six halvings with half the paper's widths, with BatchNorm because instance
normalisation takes away how light a tile is; PatchGAN of 34 pixels. 18 photographs do not say what colours
things have: held-out L1 0.056 (grey 0.054, one colour for all 0.045); see `experiments/translators`. It took
8 minutes on two x86 cores beside tests.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 16
    config.num_steps = 800
    config.log_every_steps = 25
    config.checkpoint_every_steps = 200
    config.sample_every_steps = 200
    config.data.update(name="photos", folder="kodak/small", stride=16, codec="lab", random_crop=24, flip=True)
    config.evaluation.update(metrics="l1,psnr,colourfulness", every_steps=200)
    config.algorithm = dict(name="translator")
    config.source = dict(name="lightness")
    config.contents = dict(l1=dict(weight=100.0))
    config.loss = dict(name="non_saturating")
    config.generator = dict(name="unet_generator", width=32, downs=6, norm="batch")
    config.ema = dict(name="decay", decay=0.995)
    config.discriminator = dict(name="patchgan_discriminator", width=32, layers=2)
    config.generator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5)
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5)
    return config
