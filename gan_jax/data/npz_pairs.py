"""Pairs of pictures in the arrays of an .npz file as a data set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gan_jax.data.arrays import checked_images, checked_labels
from gan_jax.data.builder import LocalBuilder
from gan_jax.data.families import check_family, split_by_family
from gan_jax.data.resizing import Crop, Filter, Resizing, check_resizing
from gan_jax.data.spec import Field
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import disk_errors
from gan_jax.utils.names import printable
from gan_jax.utils.paths import expanded
from gan_jax.utils.untrusted import read_npz

_SIDES = ("source", "image")
_RESIZABLE = (1, 3, 4)  # numbers of channels that Pillow knows


@dataclass(frozen=True)
class NpzPairsOptions:
    """Which pairs, and their size.

    Attributes:
        file: an .npz file with the arrays source and image, uint8 [N, H, W, C] or grey [N, H, W]; where they
            are there also label (integers [N]), class_names (text, one for each class) and name (text [N],
            one for each pair; without it pairs are called "0", "1", ...).
        height: of every picture of the set, in pixels; 0 for that of the arrays.
        width: likewise; 0 is the same as the height.
        crop: "center", "none" or "cut", where the size is another; see `resizing.Resizing`.
        filter: Pillow's resampling filter.
        family: a regular expression that finds the family in a pair's name; see `families`.
    """

    file: str = ""
    height: int = 0
    width: int = 0
    crop: Crop = "center"
    filter: Filter = "lanczos"
    family: str = ""

    def __post_init__(self) -> None:
        if not self.file:
            raise UserError("npz_pairs: no file is given: set data.file to an .npz with source and image.")
        check_resizing("npz_pairs", self.height, self.width, self.crop, self.filter, least=0)
        if self.width and not self.height:
            raise UserError(f"npz_pairs: width is {self.width} and height is 0; set both, or none.")
        check_family("npz_pairs", self.family)

    @property
    def resizing(self) -> Resizing | None:
        """To the size that was asked for; None where the arrays are taken as they are."""
        width = self.width or self.height
        return Resizing(self.height, width, self.crop, self.filter) if self.height else None


class NpzPairs(LocalBuilder):
    """The builder. A tenth of the families is the split test, the others are train."""

    OPTIONS = NpzPairsOptions
    options: NpzPairsOptions

    def __init__(self, options: NpzPairsOptions, *, data_dir: Path) -> None:
        path = expanded(options.file).absolute()
        self._called = f"npz_pairs: {printable(path)}"
        arrays, self._digest = self._read(path)
        self._sides = {side: checked_images(arrays[side], f"{self._called}: {side}s") for side in _SIDES}
        count = len(self._sides["image"])
        if len(self._sides["source"]) != count:
            raise UserError(
                f"{self._called} has {len(self._sides['source'])} sources and {count} images: pair i is "
                "source[i] and image[i]."
            )
        self._labels, self._classes = None, None
        if "label" in arrays:
            given = tuple(printable(str(name)) for name in arrays.get("class_names", ()))
            self._labels, self._classes = checked_labels(
                arrays["label"], count, given, f"{self._called}: the labels"
            )
        names = arrays.get("name", np.arange(count))
        if names.shape != (count,):
            raise UserError(f"{self._called}: name is {list(names.shape)}; it must be [{count}].")
        self._splits = split_by_family(self._called, [str(name) for name in names], options.family)
        for side, images in self._sides.items():
            if options.resizing is not None:
                self._check_size(side, images.shape, options.resizing)
        super().__init__(options, data_dir=data_dir)

    def _check_size(self, side: str, shape: tuple[int, ...], resizing: Resizing) -> None:
        _, height, width, channels = shape
        if channels not in _RESIZABLE:
            raise UserError(
                f"{self._called}: {side} has {channels} channels; only pictures of 1, 3 or 4 are resized: "
                "set data.height=0."
            )
        if resizing.is_too_small(height, width):
            raise UserError(
                f"{self._called}: {side}s are {height}x{width}, smaller than the {resizing} that "
                "data.crop=cut is to cut from them."
            )

    def _read(self, path: Path) -> tuple[dict[str, np.ndarray], str]:
        """The arrays of the file, and its digest."""
        if not path.is_file():
            raise UserError(f"{self._called} is {'no file' if path.exists() else 'not there'}.")
        with disk_errors(f"read {printable(path)}"), path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            try:
                arrays = read_npz(file)
            except ValueError as error:
                raise UserError(f"{self._called} is no .npz file that can be read: {error}.") from error
        if absent := [side for side in _SIDES if side not in arrays]:
            held = ", ".join(sorted(arrays)) or "nothing"
            raise UserError(
                f"{self._called} holds {held}, and no {' and no '.join(absent)}: "
                "it must have source (what is translated) and image (what is made of it)."
            )
        return arrays, digest

    def config_name(self) -> str:
        options = self.options
        text = f"{options.crop} {options.filter} {options.family} {self._digest}"
        size = options.resizing or "as_stored"
        return f"{size}_" + hashlib.sha256(text.encode()).hexdigest()[:16]

    def content_digest(self) -> str:
        return self._digest

    def fields(self) -> dict[str, Field]:
        size = self.options.resizing
        shapes = {side: images.shape[1:] for side, images in self._sides.items()}
        return {
            side: Field((h, w, c) if size is None else (size.height, size.width, c))
            for side, (h, w, c) in shapes.items()
        }

    def class_names(self) -> tuple[str, ...] | None:
        return self._classes

    def splits(self) -> tuple[str, ...]:
        return tuple(self._splits)

    def num_examples(self, split: str) -> int:
        return len(self._splits[split])

    def records(self, split: str) -> Iterator[dict[str, Any]]:
        for index in self._splits[split]:
            pair = {side: self._resized(images[index]) for side, images in self._sides.items()}
            yield pair if self._labels is None else {**pair, "label": int(self._labels[index])}

    def _resized(self, image: np.ndarray) -> np.ndarray:
        resizing = self.options.resizing
        if resizing is None:
            return image
        return resizing(Image.fromarray(image[..., 0] if image.shape[2] == 1 else image))
