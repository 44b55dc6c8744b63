"""Johnson, Alahi, Fei-Fei 2016 (arXiv:1603.08155): feed-forward style transfer at the paper's size, by VGG19.

    gan-jax train --config style_transfer --workdir runs/style --config.data.folder=PHOTOGRAPHS \\
        --config.contents.gram.style=PICTURE --config.contents.gram.weights=vgg19-dcbb9e9d.pth \\
        --config.contents.features.weights=vgg19-dcbb9e9d.pth

Section 4.1: photographs of 256x256, 4 in a batch, Adam with 1e-3, 40,000 steps; features of relu2_2, style of
relu1_2, relu2_2, relu3_3 and relu4_3, style five times as heavy as features. Instance norm (Ulyanov, Vedaldi,
Lempitsky 2016, arXiv:1607.08022) in the place of BatchNorm.
Deviations: VGG19 for VGG16, with torchvision's weights, whose activations are of another size, so that the
weights of the terms are a guess; 7x7 convolutions at the ends (CycleGAN's) for 9x9, and padding by reflection
in every layer for one of 40 pixels at the start. Built and traced, not trained: it needs a GPU.
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 4
    config.num_steps = 40_000
    config.steps_per_call = 20
    config.log_every_steps = 100
    config.checkpoint_every_steps = 1_000
    config.sample_every_steps = 1_000
    config.data.update(name="photos", folder="", tile=256, stride=256)
    config.algorithm = dict(name="translator", adversarial_weight=0.0, paired=False)
    config.source = dict(name="field", field="image")
    config.contents = dict(
        features=dict(weight=1.0, network="vgg19", weights="vgg19-dcbb9e9d.pth", layers=("relu2_2",)),
        gram=dict(
            weight=5.0,
            network="vgg19",
            weights="vgg19-dcbb9e9d.pth",
            layers=("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
            style="style.png",
        ),
        tv=dict(weight=0.1),
    )
    config.generator = dict(name="resnet_translator", width=32, blocks=5, initializer="glorot_uniform")
    config.discriminator = dict(name="patchgan_discriminator", width=8, layers=0)  # nobody asks it
    config.generator_optimizer = dict(name="adam", learning_rate=1e-3)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-3)
    return config
