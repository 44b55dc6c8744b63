"""What the data sets that are made of the arrays of an .npz file have in common."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from PIL import Image

from gan_jax.data.absent import not_there
from gan_jax.data.arrays import checked_images
from gan_jax.data.families import check_family
from gan_jax.data.resizing import Crop, Filter, Resizing, check_resizing
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import disk_errors
from gan_jax.utils.names import printable
from gan_jax.utils.paths import expanded
from gan_jax.utils.untrusted import read_npz

_RESIZABLE = (1, 3, 4)  # numbers of channels that Pillow knows


@dataclass(frozen=True)
class NpzOptions:
    """Which arrays, and the size of their pictures.

    Attributes:
        file: an .npz file with the arrays source and image, uint8 [N, H, W, C] or grey [N, H, W].
        height: of every picture of the set, in pixels; 0 for that of the arrays.
        width: likewise; 0 is the same as the height.
        crop: "center", "none" or "cut", where the size is another; see `resizing.Resizing`.
        filter: Pillow's resampling filter.
        family: a regular expression that finds the family in a picture's name; see `families`.
    """

    NAME: ClassVar[str]  # of the data set

    file: str = ""
    height: int = 0
    width: int = 0
    crop: Crop = "center"
    filter: Filter = "lanczos"
    family: str = ""

    def __post_init__(self) -> None:
        if not self.file:
            raise UserError(f"{self.NAME}: no file is given: set data.file to an .npz with source and image.")
        check_resizing(self.NAME, self.height, self.width, self.crop, self.filter, least=0)
        if self.width and not self.height:
            raise UserError(f"{self.NAME}: width is {self.width} and height is 0; set both, or none.")
        check_family(self.NAME, self.family)

    @property
    def resizing(self) -> Resizing | None:
        """To the size that was asked for; None where the arrays are taken as they are."""
        width = self.width or self.height
        return Resizing(self.height, width, self.crop, self.filter) if self.height else None


class NpzFile:
    """The arrays of the options' file.

    Attributes:
        called: what messages call it.
        arrays: by their names; source and image are among them.
        digest: sha256 of the file.

    Raises:
        UserError: no such file, damage, or no source or image.
    """

    def __init__(self, options: NpzOptions) -> None:
        self._resizing = options.resizing
        path = expanded(options.file).absolute()
        self.called = f"{options.NAME}: {printable(path)}"
        if not path.is_file():
            raise UserError(f"{self.called} is {'no file' if path.exists() else not_there(path)}.")
        with disk_errors(f"read {printable(path)}"), path.open("rb") as file:
            self.digest = hashlib.file_digest(file, "sha256").hexdigest()
            try:
                self.arrays = read_npz(file)
            except ValueError as error:
                raise UserError(f"{self.called} is no .npz file that can be read: {error}.") from error
        if absent := [side for side in ("source", "image") if side not in self.arrays]:
            held = ", ".join(sorted(self.arrays)) or "nothing"
            raise UserError(
                f"{self.called} holds {held}, and no {' and no '.join(absent)}: it must have source (what is "
                "translated) and image (what is made of it)."
            )

    def images(self, side: str) -> np.ndarray:
        """The pictures of a side as they are stored, uint8 [N, H, W, C], once the size can be had of them."""
        images = checked_images(self.arrays[side], f"{self.called}: {side}s")
        _, height, width, channels = images.shape
        if self._resizing is not None and channels not in _RESIZABLE:
            raise UserError(
                f"{self.called}: {side} has {channels} channels; only pictures of 1, 3 or 4 are resized: set "
                "data.height=0."
            )
        if self._resizing is not None and self._resizing.is_too_small(height, width):
            raise UserError(
                f"{self.called}: {side}s are {height}x{width}, smaller than the {self._resizing} that "
                "data.crop=cut is to cut from them."
            )
        return images

    def names(self, array: str, count: int) -> list[str]:
        """The names in an array; "0", "1", ... where it is not there."""
        names = self.arrays.get(array, np.arange(count))
        if names.shape != (count,):
            raise UserError(f"{self.called}: {array} is {list(names.shape)}; it must be [{count}].")
        return [str(name) for name in names]

    def shape(self, images: np.ndarray) -> tuple[int, int, int]:
        """Of a picture of the set, (H, W, C)."""
        height, width, channels = images.shape[1:]
        size = self._resizing
        return (height, width, channels) if size is None else (size.height, size.width, channels)

    def resized(self, image: np.ndarray) -> np.ndarray:
        """A picture [H, W, C] in the size of the set."""
        if self._resizing is None:
            return image
        return self._resizing(Image.fromarray(image[..., 0] if image.shape[2] == 1 else image))

    def named(self, options: NpzOptions, *others: object) -> str:
        """A name of the configuration: of the options, of what else tells apart, and of the content."""
        text = " ".join(map(str, (options.crop, options.filter, options.family, *others, self.digest)))
        return f"{options.resizing or 'as_stored'}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
