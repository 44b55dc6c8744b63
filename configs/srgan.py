"""SRGAN (Ledig et al. 2017, arXiv:1609.04802), small: photographs at two or four times the resolution.

    python experiments/kodak/prepare.py --out kodak
    gan-jax train-classifier --config srgan --seed=1 --out photos.npz
    gan-jax train --config srgan --workdir runs/srgan_x4                    # srgan:2 for x2
    gan-jax translate --workdir runs/srgan_x4 --input kodak/x4 --out made           # SRGAN
    gan-jax translate --workdir runs/srgan_x4 --input kodak/x4 --out sharp --best   # SRResNet: the best PSNR

Three phases, as in the paper: mse trains the generator alone, which is SRResNet; gan adds the adversary, low
lowers the rates by ten. Deviations, for two cores and 18 photographs: half the blocks and half the width; no
BatchNorm in the generator, and the bicubic picture added to its output;
ten times the learning rate of mse, which falls to 0; with the adversary the mean square error stays, and
perceptual distances in a classifier that tells the 18 photographs apart take the place of VGG19's features,
of pictures that are rolled by other pixels at every step: without it flat areas got a grid of dots.
That network is not VGG19; scores while training are in another one, the random network. x4: SRResNet 27.81
dB on photographs 19 to 24 (Lanczos 27.23), SRGAN 27.56; x2: 32.57 (31.28) and, without rolling,
32.38: `experiments/translators`. x4 took 20 minutes on one x86 core beside another training.
"""

import ml_collections

from gan_jax.config.build import base_config

MSE, GAN, LOW = 4_000, 1_000, 200  # steps


def get_config(scale: str = "4") -> ml_collections.ConfigDict:
    factor = int(scale)
    config = base_config()
    config.batch_size = 16
    config.num_steps = MSE + GAN + LOW
    config.steps_per_call = 50
    config.log_every_steps = 50
    config.checkpoint_every_steps = 500
    config.sample_every_steps = 500
    config.data.update(name="photos", folder="kodak/photos", tile=64, stride=32, flip=True)
    config.algorithm = dict(name="translator", adversarial_weight=0.0, paired=False)
    config.source = dict(name="downscale", factor=factor)
    config.loss = dict(name="non_saturating")
    config.contents = dict(
        mse=dict(weight=1.0),
        lpips=dict(
            weight=0.0, network="classifier:photos.npz", layers=("relu_0", "relu_1", "relu_2"), roll=8
        ),
    )
    config.ema = dict(name="decay", decay=0.99)
    config.generator = dict(
        name="srresnet_generator", scale=factor, width=32, blocks=8, norm="none", skip="bicubic"
    )
    config.discriminator = dict(name="sr_discriminator", width=32, momentum=0.9)
    config.generator_optimizer = dict(
        name="adam", learning_rate=dict(name="cosine", start=1e-3, end=0.0, steps=MSE), b1=0.9
    )
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-4, b1=0.9)
    config.evaluation = dict(
        metrics="psnr_luma,ssim_luma,lpips_paired,fid",
        network="random",
        every_steps=500,
        num=500,
        best="psnr_luma",
    )
    config.phases = [
        dict(name="mse", num_steps=MSE),
        dict(
            name="gan",
            num_steps=GAN,
            algorithm=dict(adversarial_weight=3e-4),
            contents=dict(lpips=dict(weight=0.2)),
            generator_optimizer=dict(learning_rate=1e-4),
        ),
        dict(
            name="low",
            num_steps=LOW,
            generator_optimizer=dict(learning_rate=1e-5),
            discriminator_optimizer=dict(learning_rate=1e-5),
        ),
    ]
    return config
