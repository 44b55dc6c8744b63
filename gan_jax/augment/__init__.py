"""Augmentations of the discriminator's inputs, for training on few images, by their names in configs."""

from gan_jax.augment.ada import ADA
from gan_jax.augment.base import Augment, NoAugment
from gan_jax.augment.diffaugment import DiffAugment

__all__ = ["ADA", "AUGMENTS", "Augment", "DiffAugment", "NoAugment"]

AUGMENTS: dict[str, type[Augment]] = {
    "none": NoAugment,
    "diffaugment": DiffAugment,
    "ada": ADA,
}
