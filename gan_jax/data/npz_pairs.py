"""Pairs of pictures in the arrays of an .npz file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_jax.data.arrays import checked_labels
from gan_jax.data.builder import LocalBuilder
from gan_jax.data.families import split_by_family
from gan_jax.data.npz_file import NpzFile, NpzOptions
from gan_jax.data.spec import Field
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import printable


@dataclass(frozen=True)
class NpzPairsOptions(NpzOptions):
    """Which pairs, and their size.

    Where they are there, the file's array `label` (integers [N]) has labels, `class_names` (text) what they
    mean, and `name` (text [N]) the names of the pairs, which are "0", "1", ... without it.
    """

    NAME = "npz_pairs"


class NpzPairs(LocalBuilder):
    """The builder. A tenth of the families is the split test, the others are train."""

    OPTIONS = NpzPairsOptions
    options: NpzPairsOptions

    def __init__(self, options: NpzPairsOptions, *, data_dir: Path) -> None:
        self._file = NpzFile(options)
        called, arrays = self._file.called, self._file.arrays
        self._sides = {side: self._file.images(side) for side in ("source", "image")}
        count = len(self._sides["image"])
        if len(self._sides["source"]) != count:
            raise UserError(
                f"{called} has {len(self._sides['source'])} sources and {count} images: pair i is source[i] "
                "and image[i]."
            )
        self._labels, self._classes = None, None
        if "label" in arrays:
            given = tuple(printable(str(name)) for name in arrays.get("class_names", ()))
            self._labels, self._classes = checked_labels(
                arrays["label"], count, given, f"{called}: the labels"
            )
        self._splits = split_by_family(called, self._file.names("name", count), options.family)
        super().__init__(options, data_dir=data_dir)

    def config_name(self) -> str:
        return self._file.named(self.options)

    def content_digest(self) -> str:
        return self._file.digest

    def fields(self) -> dict[str, Field]:
        return {side: Field(self._file.shape(images)) for side, images in self._sides.items()}

    def class_names(self) -> tuple[str, ...] | None:
        return self._classes

    def splits(self) -> tuple[str, ...]:
        return tuple(self._splits)

    def num_examples(self, split: str) -> int:
        return len(self._splits[split])

    def records(self, split: str) -> Iterator[dict[str, Any]]:
        for index in self._splits[split]:
            pair = {side: self._file.resized(images[index]) for side, images in self._sides.items()}
            yield pair if self._labels is None else {**pair, "label": int(self._labels[index])}
