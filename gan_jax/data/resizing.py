"""Pictures of any size brought to one size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from PIL import Image, ImageOps

from gan_jax.utils.errors import UserError

Crop = Literal["center", "none", "cut"]
Filter = Literal["lanczos", "bicubic", "bilinear", "hamming", "box", "nearest"]


@dataclass(frozen=True)
class Resizing:
    """How a picture becomes height x width.

    Attributes:
        height: in pixels.
        width: likewise.
        crop: "center": shrink or enlarge until the picture covers height x width, then cut off what stands
            over, evenly. "none": stretch to height x width. "cut": the middle of it, pixel by pixel.
        filter: Pillow's resampling filter.
    """

    height: int
    width: int
    crop: Crop = "center"
    filter: Filter = "lanczos"

    def __call__(self, image: Image.Image) -> np.ndarray:
        """The picture in this size, uint8 [height, width, channels].

        Raises:
            ValueError: a picture to be cut that is smaller; see `is_too_small`.
        """
        size, resample = (self.width, self.height), Image.Resampling[self.filter.upper()]
        if self.is_too_small(image.height, image.width):
            raise ValueError(f"{image.height}x{image.width} is smaller than {self}")
        if self.crop == "cut":
            left, top = (image.width - self.width) // 2, (image.height - self.height) // 2
            image = image.crop((left, top, left + self.width, top + self.height))
        elif self.crop == "center":
            image = ImageOps.fit(image, size, resample)
        else:
            image = image.resize(size, resample)
        return np.asarray(image).reshape(self.height, self.width, -1)

    def __str__(self) -> str:
        return f"{self.height}x{self.width}"

    def is_too_small(self, height: int, width: int) -> bool:
        """Whether a picture of this size cannot be used, because it is to be cut and smaller."""
        return self.crop == "cut" and (height < self.height or width < self.width)


def check_resizing(name: str, height: int, width: int, crop: str, filter: str, least: int = 1) -> None:
    """Raises a UserError if a data set's options say no size or an unknown way to it.

    Args:
        name: of the data set.
        least: that the height may be.
    """
    if height < least or width < 0:
        raise UserError(
            f"{name}: pictures of height {height} and width {width}; the height must be at least {least}, "
            "and the width at least 1 or 0 for a square."
        )
    check_choice(name, "crop", crop, get_args(Crop))
    check_choice(name, "filter", filter, get_args(Filter))


def check_choice(name: str, option: str, value: object, choices: tuple[object, ...]) -> None:
    """Raises a UserError if an option of a data set has none of its values."""
    if value not in choices:
        known = ", ".join(str(choice) for choice in choices)
        raise UserError(f"{name}: {option} is {value!r}; choose one of {known}.")
