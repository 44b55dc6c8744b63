"""The runs of the comparison: shipped configs on Fashion-MNIST, all with the same evaluations.

    gan-jax train --config experiments/six_gans/configs.py:stylegan2 --workdir runs/six/stylegan2

Those of DCGAN, WGAN-GP and SNGAN are longer or shorter than their configs, for the operations that the others
need; nothing else is changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import ml_collections

from gan_jax.config.config_file import run_config_file
from gan_jax.utils.errors import UserError

CONFIGS = Path(__file__).parents[2] / "configs"


class Entry(NamedTuple):
    """A run.

    Attributes:
        label: its method, for tables.
        config: the file in `configs/`.
        steps: of the run; None as the config has it.
        every_steps: between evaluations.
    """

    label: str
    config: str
    steps: int | None
    every_steps: int


ENTRIES = {
    "dcgan": Entry("DCGAN", "dcgan_fashion_mnist", 8_800, 3_125),
    "wgan_gp": Entry("WGAN-GP", "wgan_gp_mnist", 4_400, 400),
    "sngan": Entry("SNGAN", "sngan_mnist", 3_500, 625),
    "progan": Entry("ProGAN", "progan_fashion_mnist", None, 1_250),
    "stylegan2": Entry("StyleGAN2", "stylegan2_fashion_mnist", None, 1_000),
    "r3gan": Entry("R3GAN", "r3gan_fashion_mnist", None, 500),
    "r3gan_loss": Entry("R3GAN's loss, DCGAN's networks", "r3gan_mnist", 9_850, 1_563),
}


def get_config(name: str = "dcgan") -> ml_collections.ConfigDict:
    if name not in ENTRIES:
        raise UserError(f"{name!r} is none of {', '.join(ENTRIES)}")
    entry = ENTRIES[name]
    config = run_config_file(str(CONFIGS / f"{entry.config}.py"))
    config.data.name = "fashion_mnist"
    if entry.steps is not None:
        config.num_steps = entry.steps
    config.evaluation.update(metrics="fid,kid,prdc", num=10_000, every_steps=entry.every_steps)
    return config
