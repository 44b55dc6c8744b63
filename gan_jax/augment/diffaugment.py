"""DiffAugment (Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training",
arXiv:2006.10738, section 3.2), as the authors' published implementations define it.

Every transform is drawn anew for each example, and always applied. Sizes in pixels are a share of the side,
rounded half up (one of the authors' versions rounds down; the two differ where the side is no multiple of 8).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from gan_jax.augment.base import Augment, PyTree, check_batch, check_names
from gan_jax.augment.blit import per_image, shifted, without_rectangle
from gan_jax.utils.checks import check_range

Array = jax.Array
POLICIES = ("color", "translation", "cutout")


@dataclass(frozen=True, kw_only=True)
class DiffAugment(Augment):
    """Colour, translation and cutout, in the order of `policy`.

    Attributes:
        policy: which transforms, among "color", "translation", "cutout"; applied in this order.
        brightness: half the range of what is added to all channels: uniform on [-0.5, 0.5).
        saturation: half the range, about 1, of the factor of each pixel's distance to its mean over the
            channels: uniform on [0, 2). Images of one channel are their own mean and stay as they are.
        contrast: half the range, about 1, of the factor of the distance to the image's mean: [0.5, 1.5).
        translation: the longest shift as a share of the side; zeros come in. Uniform whole pixels.
        cutout: sides of the rectangle of zeros as a share of the image's; its centre is uniform over the
            image, so it may reach beyond the border.
    """

    policy: tuple[str, ...] = POLICIES
    brightness: float = 0.5
    saturation: float = 1.0
    contrast: float = 0.5
    translation: float = 0.125
    cutout: float = 0.5

    def __post_init__(self) -> None:
        check_names(self.policy, "policy", POLICIES)
        check_range(self.brightness, "brightness", 0.0, 2.0)
        for field in ("saturation", "contrast", "translation", "cutout"):
            check_range(getattr(self, field), field, 0.0, 1.0)

    def __call__(self, image: Array, keys: Array, memory: PyTree, step: Array) -> Array:
        check_batch(image, keys)
        transforms: dict[str, Callable[[Array, Array], Array]] = {
            "color": self._color,
            "translation": self._translated,
            "cutout": self._cut,
        }
        for name in self.policy:
            # A transform draws the same whatever else is on.
            number = POLICIES.index(name)
            image = transforms[name](image, jax.vmap(lambda key, n=number: jax.random.fold_in(key, n))(keys))
        return image

    def _color(self, image: Array, keys: Array) -> Array:
        drawn = jax.vmap(lambda key: jax.random.uniform(key, (3,), minval=-1.0))(keys)
        brightness, saturation, contrast = map(per_image, drawn.T)
        image = image + self.brightness * brightness
        grey = jnp.mean(image, 3, keepdims=True)
        image = (image - grey) * (1.0 + self.saturation * saturation) + grey
        mean = jnp.mean(image, (1, 2, 3), keepdims=True)
        return (image - mean) * (1.0 + self.contrast * contrast) + mean

    def _translated(self, image: Array, keys: Array) -> Array:
        reach = pixels(self.translation, image.shape[1]), pixels(self.translation, image.shape[2])
        down, right = _integers(keys, [(-n, n + 1) for n in reach])
        return shifted(image, down, right, reach, "constant")

    def _cut(self, image: Array, keys: Array) -> Array:
        sides = image.shape[1], image.shape[2]
        sizes = [pixels(self.cutout, side) for side in sides]
        # An even size has its centre between pixels, so there is one place more.
        places = [(0, side + 1 - size % 2) for side, size in zip(sides, sizes, strict=True)]
        top, left = (centre - size // 2 for centre, size in zip(_integers(keys, places), sizes, strict=True))
        return without_rectangle(image, top, top + sizes[0], left, left + sizes[1])


def pixels(share: float, side: int) -> int:
    """A share of a side in whole pixels, rounded half up."""
    return math.floor(share * side + 0.5)


def _integers(keys: Array, ranges: list[tuple[int, int]]) -> Array:
    """int32 [len(ranges), B], uniform on low..high-1 of each range."""
    low, high = jnp.array(ranges).T
    return jax.vmap(lambda key: jax.random.randint(key, low.shape, low, high), out_axes=1)(keys)
