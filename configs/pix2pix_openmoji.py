"""Pix2Pix (Isola et al. 2017, arXiv:1611.07004) at 64x64: OpenMoji's line drawings to their colours.

    python experiments/emoji/prepare.py --from FOLDER --out emoji
    gan-jax train --config pix2pix_openmoji --workdir runs/pix2pix_openmoji

1,696 pairs, of which 180 others are held out (`experiments/emoji`). The U-Net halves six times, with half the
paper's widths; PatchGAN judges patches of 34 pixels. Loss, weight of L1, Adam, jitter (by 8 of 72 pixels, as
the paper by 30 of 286) and flips are the paper's; the batch is 16 instead of 1, of which each example is
normalised by itself, as a batch of one is.

Only L1, the paper's baseline: --config.algorithm.adversarial_weight=0.0. Held-out L1 0.080, with L1 only
0.073 (the line itself: 0.098), at 4.9 and about 10 batches a second. It took 57 minutes on two x86 cores
beside tests: `experiments/translators`.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 16
    config.num_steps = 8_000
    config.log_every_steps = 50
    config.sample_every_steps = 500
    config.data.update(
        name="npz_pairs", file="emoji/openmoji_pairs.npz", height=64, crop="cut", family="[^-]+"
    )
    config.data.update(random_crop=8, flip=True)
    config.evaluation.update(metrics="l1,psnr,ssim", every_steps=1_000)
    config.algorithm = dict(name="translator")
    config.source = dict(name="field")
    config.contents = dict(l1=dict(weight=100.0))
    config.loss = dict(name="non_saturating")
    config.generator = dict(name="unet_generator", width=32, downs=6)
    config.discriminator = dict(name="patchgan_discriminator", width=32, layers=2)
    config.generator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5)
    config.discriminator_optimizer = dict(name="adam", learning_rate=2e-4, b1=0.5)
    return config
