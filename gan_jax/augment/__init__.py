"""Augmentations of the discriminator's inputs, for training on few images, by their names in configs."""

from gan_jax.augment.ada import ADA
from gan_jax.augment.base import Augment, NoAugment
from gan_jax.augment.diffaugment import DiffAugment
from gan_jax.utils.tables import Table

__all__ = ["ADA", "AUGMENTS", "Augment", "DiffAugment", "NoAugment"]

AUGMENTS: Table[type[Augment]] = Table(
    "augment",
    {
        "none": NoAugment,
        "diffaugment": DiffAugment,
        "ada": ADA,
    },
)
