"""Feed-forward style transfer, small: photographs in the style of one picture, without downloaded weights.

Johnson, Alahi, Fei-Fei 2016, arXiv:1603.08155, with a classifier of the 18 photographs in the place of VGG.

    python experiments/kodak/prepare.py --out kodak
    gan-jax train-classifier --config srgan --seed=1 --out photos.npz
    gan-jax train --config style_transfer_small --workdir runs/style --config.contents.gram.style=PICTURE
    gan-jax translate --workdir runs/style --input kodak/photos/test --out made

Three minutes on one free x86 core. Expect outlines, hatching and the style's colours, no objects of the style
(`experiments/translators`).
"""

import ml_collections

from gan_jax.config.build import base_config


def get_config() -> ml_collections.ConfigDict:
    config = base_config()
    config.batch_size = 4
    config.num_steps = 1_000
    config.steps_per_call = 20
    config.log_every_steps = 20
    config.checkpoint_every_steps = 500
    config.sample_every_steps = 500
    config.data.update(name="photos", folder="kodak/photos", tile=128, stride=64, flip=True)
    config.algorithm = dict(name="translator", adversarial_weight=0.0, paired=False)
    config.source = dict(name="field", field="image")
    network = "classifier:photos.npz"
    config.contents = dict(
        features=dict(weight=4.0, network=network, layers=("relu_1",), roll=4),
        gram=dict(
            weight=1.5, network=network, layers=("relu_0", "relu_1", "relu_2"), roll=8, style="style.png"
        ),
        tv=dict(weight=0.3),
    )
    config.ema = dict(name="decay", decay=0.99)
    config.generator = dict(
        name="resnet_translator", width=16, blocks=3, upsampling="nearest", initializer="glorot_uniform"
    )
    config.discriminator = dict(name="patchgan_discriminator", width=8, layers=0)  # nobody asks it
    config.generator_optimizer = dict(name="adam", learning_rate=2e-3)
    config.discriminator_optimizer = dict(name="adam", learning_rate=1e-3)
    return config
