"""R3GAN at the published sizes (Huang et al. 2024, arXiv:2501.05441): five presets.

    gan-jax train --config r3gan_paper:cifar10 --workdir runs/r3gan_cifar10 \\
        --config.data.folder=cifar10

PRESET (behind the colon) is cifar10, ffhq64, ffhq256, imagenet32 or imagenet64, as in train.py of
github.com/brownvc/R3GAN; the folder holds the pictures, of CIFAR-10 and ImageNet in a sub-folder for each
class. Rate, beta2, gamma, the probability of augmentation and the half-life of the average follow a cosine
over the first 20 million images (ImageNet: 200). The code goes on after that until it is stopped, here as
long again. For 8 (ImageNet: 32, 64) GPUs; counted and traced in the tests, not trained here.
Deviation: all is float32, or bfloat16 with --config.execution.precision; the code has bfloat16 on the highest
levels only.
"""

from typing import NamedTuple

import ml_collections

from gan_jax.config.build import base_config


class Preset(NamedTuple):
    """What the presets differ in; widths and groups of 3x3 convolutions are from the lowest level up.

    Attributes:
        gamma: weight of R1 and R2 at the start; a tenth of it at the end.
        augmented: probability of each transform at the end, and half of it for those of colours.
        average: half-life of the generator's average at the end, in images.
        images: over which all these change.
    """

    side: int
    widths: tuple[int, ...]
    groups: tuple[int, ...]
    gamma: float
    augmented: float
    average: float
    images: float
    batch_size: int


FOUR = (768,) * 4
PRESETS = {
    "cifar10": Preset(32, FOUR, (96,) * 4, 0.05, 0.55, 5e6, 2e7, 512),
    "ffhq64": Preset(64, (*FOUR, 384), (96, 96, 96, 96, 48), 2.0, 0.3, 5e5, 2e7, 256),
    "ffhq256": Preset(256, (*FOUR, 384, 192, 96), (96, 96, 96, 96, 48, 24, 12), 150.0, 0.3, 5e5, 2e7, 256),
    "imagenet32": Preset(32, (1536,) * 4, (96,) * 4, 0.5, 0.5, 5e7, 2e8, 4096),
    "imagenet64": Preset(64, (1536,) * 5, (96,) * 5, 1.0, 0.4, 5e7, 2e8, 4096),
}


def get_config(preset: str = "cifar10") -> ml_collections.ConfigDict:
    if preset not in PRESETS:
        raise ValueError(f"r3gan_paper.py:{preset}: choose one of {', '.join(PRESETS)}")
    chosen = PRESETS[preset]
    steps = round(chosen.images / chosen.batch_size)

    def over_images(start: float, end: float) -> dict[str, object]:
        return dict(name="cosine", start=start, end=end, steps=steps)

    config = base_config()
    config.batch_size = chosen.batch_size
    config.num_steps = 2 * steps
    config.checkpoint_every_steps = 1_000
    config.sample_every_steps = 1_000
    config.data.update(name="image_folder", folder=preset, height=chosen.side, flip=True)
    config.algorithm = dict(name="gan", latent_size=64, separate_batches=True)
    config.loss = dict(name="relativistic_paired")
    gamma = over_images(chosen.gamma, chosen.gamma / 10)
    config.penalties = dict(r1=dict(weight=gamma), r2=dict(weight=gamma))
    config.augment = dict(
        name="ada",
        groups=("blit", "geometric", "color", "corrupt"),
        without=("noise",),
        color_share=0.5,
        p=over_images(0.0, chosen.augmented),
        adjust_images=0,
    )
    config.ema = dict(name="half_life", images=over_images(0.0, chosen.average))
    condition = "none" if preset.startswith("ffhq") else "auto"
    config.generator = dict(
        name="r3gan_generator", widths=chosen.widths, cardinality=chosen.groups, condition=condition
    )
    config.discriminator = dict(
        name="r3gan_discriminator",
        widths=chosen.widths[::-1],
        cardinality=chosen.groups[::-1],
        condition=condition,
    )
    for role in ("generator", "discriminator"):
        config[f"{role}_optimizer"] = dict(
            name="adam", learning_rate=over_images(2e-4, 5e-5), b1=0.0, b2=over_images(0.9, 0.99)
        )
    return config
