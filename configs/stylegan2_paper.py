"""StyleGAN2 with ADA (Karras et al. 2020, arXiv:1912.04958 and 2006.06676) as it was published; six presets.

    gan-jax train --config stylegan2_paper:paper256 --workdir runs/ffhq256 \\
        --config.data.folder=ffhq --config.data.flip=True

The folder is one of pictures. The presets are those of the official code (NVlabs/stylegan2-ada-pytorch,
train.py): "cifar" at 32x32, "paper256", "paper512", "paper1024", "stylegan2" (config F at 1024x1024), and
"auto" for pictures of any size: "auto256", or "auto128x256" for a height of 128. Without ADA:
--config.augment=none. With classes (sub-folders): --config.generator.condition=auto
--config.discriminator.condition=auto. In less memory: --config.execution.precision=bfloat16, which the
official code's float16 is nearest to.

For 8 GPUs of 2020 and days: FID of FFHQ at 1024x1024 2.84, of CIFAR-10 2.92, with classes 2.42 (theirs).
Traced and counted in the tests, not trained here. Deviations: fakes have the labels of the reals; R1 comes
before the generator's descents; see also `models.mapping` and `models.stylegan2`.
"""

import re

import ml_collections

from gan_jax.config.build import base_config
from gan_jax.config.heuristics import r1_gamma

LAZY = 4 / 5  # the official correction of the generator's Adam, also where it has no path length


def get_config(preset: str = "cifar") -> ml_collections.ConfigDict:
    config = base_config()
    height, width = size_of(preset)
    batch = config.get_ref("batch_size")
    automatic = preset.startswith("auto")
    if automatic:
        gamma, average, ramp = r1_gamma(height, width, batch), batch * 312.5, 0.05
        rate = 0.0025 if height < 1024 else 0.002
        base, group, layers = 16_384 if height < 512 else 32_768, 4, 2
        config.batch_size = max(8, min(64, 8 * (4096 // max(height, width))))
    else:
        batch_size, group, base, rate, gamma, average, ramp, layers = {
            "cifar": (64, 32, 32_768, 0.0025, 0.01, 500_000, 0.05, 2),
            "paper256": (64, 8, 16_384, 0.0025, 1.0, 20_000, 0.0, 8),
            "paper512": (64, 8, 32_768, 0.0025, 0.5, 20_000, 0.0, 8),
            "paper1024": (32, 4, 32_768, 0.002, 2.0, 10_000, 0.0, 8),
            "stylegan2": (32, 4, 32_768, 0.002, 10.0, 10_000, 0.0, 8),
        }[preset]
        config.batch_size = batch_size
    cifar = preset == "cifar"
    config.num_steps = (100_000_000 if cifar else 25_000_000) // batch
    config.checkpoint_every_steps = config.sample_every_steps = 2_000
    config.data.update(name="image_folder", folder="pictures", height=height, width=width)
    config.algorithm = dict(name="gan", latent_size=512)
    config.loss = dict(name="non_saturating")
    config.augment = dict(name="ada")
    config.penalties = dict(r1=dict(weight=gamma, every=16))
    config.generator_penalties = dict() if cifar else dict(path_length=dict(weight=2.0, every=4))
    config.ema = dict(name="half_life", images=average, ramp_up=ramp)
    config.generator = dict(
        name="stylegan2_generator",
        width_base=base,
        mapping_layers=layers,
        style_mixing=0.0 if cifar else 0.9,
    )
    config.discriminator = dict(
        name="stylegan2_discriminator", width_base=base, minibatch_group=group, residual=not cifar
    )
    adam = dict(name="adam", learning_rate=rate, b1=0.0, b2=0.99, finite_gradients=True)
    config.discriminator_optimizer = dict(adam)
    config.generator_optimizer = adam | dict(learning_rate=LAZY * rate, b2=0.99**LAZY) if cifar else adam
    return config


def size_of(preset: str) -> tuple[int, int]:
    """Height and width of a preset's images.

    Raises:
        ValueError: no such preset.
    """
    sizes = {"cifar": 32, "paper256": 256, "paper512": 512, "paper1024": 1024, "stylegan2": 1024}
    if preset in sizes:
        return sizes[preset], sizes[preset]
    if found := re.fullmatch(r"auto(\d+)(?:x(\d+))?", preset):
        return int(found[1]), int(found[2] or found[1])
    raise ValueError(
        f"the preset {preset!r} is not one of {', '.join(sizes)}, auto256, auto128x256 (any size in pixels)"
    )
