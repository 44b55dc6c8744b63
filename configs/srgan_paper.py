"""Ledig et al. 2017 (arXiv:1609.04802): SRResNet and SRGAN at their sizes, four times the resolution.

    gan-jax train --config srgan_paper --workdir runs/srgan_paper \\
        --config.data.folder=PHOTOGRAPHS --config.contents.features.weights=vgg19-dcbb9e9d.pth

Section 3.2: crops of 96x96, 16 in a batch, Adam with beta1 0.9; SRResNet 10^6 steps of 1e-4 on the mean
square error; from it SRGAN, 10^5 steps of 1e-4 and 10^5 of 1e-5, on VGG19's features phi(5,4) and 1e-3 of the
adversary. The weights of VGG19 are the user's: torchvision's file, which is not downloaded here.
Deviations: those of the networks (`models.srresnet`, `models.sr_discriminator`); tiles of the photographs
(350,000 of ImageNet's there) in the place of random crops; mirroring; BatchNorm's epsilon is PyTorch's.
Built and counted (1,547,350 and 23,563,649 parameters), not trained: it needs a GPU for days.
"""

import ml_collections

from gan_jax.config.build import base_config

MSE, GAN, LOW = 1_000_000, 100_000, 100_000  # steps


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 16
    config.num_steps = MSE + GAN + LOW
    config.steps_per_call = 100
    config.log_every_steps = 500
    config.checkpoint_every_steps = 5_000
    config.sample_every_steps = 5_000
    config.data.update(name="photos", folder="", tile=96, stride=96, flip=True)
    config.algorithm = dict(name="translator", adversarial_weight=0.0, paired=False)
    config.source = dict(name="downscale", factor=4)
    config.loss = dict(name="non_saturating")
    config.contents = dict(
        mse=dict(weight=1.0),
        features=dict(weight=0.0, network="vgg19", weights="vgg19-dcbb9e9d.pth", layers=("relu5_4",)),
    )
    config.generator = dict(
        name="srresnet_generator", scale=4, width=64, blocks=16, momentum=0.9, norm_epsilon=1e-5
    )
    config.discriminator = dict(name="sr_discriminator", width=64, momentum=0.9, norm_epsilon=1e-5)
    config.generator_optimizer = dict(name="adam", learning_rate=1e-4, b1=0.9)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-4, b1=0.9)
    config.evaluation = dict(
        metrics="psnr_luma,ssim_luma", network="random", every_steps=5_000, num=1_000, best="psnr_luma"
    )
    config.phases = [
        dict(name="mse", num_steps=MSE),
        dict(
            name="gan",
            num_steps=GAN,
            algorithm=dict(adversarial_weight=1e-3),
            contents=dict(mse=dict(weight=0.0), features=dict(weight=0.006)),
        ),
        dict(
            name="low",
            num_steps=LOW,
            generator_optimizer=dict(learning_rate=1e-5),
            discriminator_optimizer=dict(learning_rate=1e-5),
        ),
    ]
    return config
