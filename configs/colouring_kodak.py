"""Colouring (Isola et al. 2017, arXiv:1611.07004, section 4.2): a and b of lightness, on Kodak photographs.

    python experiments/kodak/prepare.py --out kodak
    gan-jax train --config configs/colouring_kodak.py --workdir runs/colouring_kodak

1,386 tiles of 128x128 from photographs 1 to 18; 19 to 24 are held out (`experiments/kodak`). A U-Net of six
halvings with half the paper's widths, PatchGAN of 34 pixels. Not good enough yet: held-out L1 0.049 after
3,000 batches (grey 0.053, the mean colour 0.048), white skies turn yellow, most else stays near grey.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 8
    config.num_steps = 3_000
    config.log_every_steps = 25
    config.checkpoint_every_steps = 500
    config.sample_every_steps = 500
    config.data.update(name="photos", folder="kodak/photos", codec="lab", random_crop=12, flip=True)
    config.evaluation.update(metrics="l1,psnr,colourfulness", every_steps=500)
    config.algorithm = dict(name="translator")
    config.source = dict(name="lightness")
    config.contents = dict(l1=dict(weight=100.0))
    config.loss = dict(name="non_saturating")
    config.generator = dict(name="unet_generator", width=32, downs=6)
    config.discriminator = dict(name="patchgan_discriminator", width=32, layers=2)
    config.generator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5)
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5)
    return config
