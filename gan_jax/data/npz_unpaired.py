"""Two arrays of pictures that are no pairs, in an .npz file."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, get_args

from gan_jax.data.families import mixed, split_by_family
from gan_jax.data.npz_file import NpzFile, NpzOptions
from gan_jax.data.resizing import check_choice
from gan_jax.data.spec import Field
from gan_jax.data.unpaired_sets import Side, SideBuilder, UnpairedSets


@dataclass(frozen=True)
class NpzUnpairedOptions(NpzOptions):
    """Which pictures the two sides are, and their size.

    The file's arrays source and image have lengths of their own. Where they are there, `source_name` and
    `image_name` (text) have the names of their pictures, which are "0", "1", ... without them.

    Attributes:
        truth: whether held-out pictures of one name on both sides show the same, so that what is made of the
            one can be compared with the other. Only where all of their names are the same.
    """

    NAME = "npz_unpaired"

    truth: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.NAME, "truth", self.truth, (False, True))


class NpzUnpaired(SideBuilder):
    """The builder of one side. A tenth of the families is the split test, the others are train."""

    OPTIONS = NpzUnpairedOptions
    options: NpzUnpairedOptions

    def __init__(self, options: NpzUnpairedOptions, file: NpzFile, side: Side, *, data_dir: Path) -> None:
        self._file, self._side = file, side
        self._images = file.images(side)
        self._names = file.names(f"{side}_name", len(self._images))
        splits = split_by_family(f"{file.called}, {side}s", self._names, options.family)
        self._splits = {
            split: mixed(indices, lambda index: self._names[index]) for split, indices in splits.items()
        }
        super().__init__(options, data_dir=data_dir)

    def config_name(self) -> str:
        return f"{self._side}_{self._file.named(self.options)}"

    def content_digest(self) -> str:
        return self._file.digest

    def fields(self) -> dict[str, Field]:
        return {"image": Field(self._file.shape(self._images))}

    def splits(self) -> tuple[str, ...]:
        return tuple(self._splits)

    def names(self, split: str, left_out: Collection[str]) -> list[str]:
        return [self._names[index] for index in self._splits[split]]

    def num_examples(self, split: str) -> int:
        return len(self._splits[split])

    def records(self, split: str) -> Iterator[dict[str, Any]]:
        for index in self._splits[split]:
            yield {"image": self._file.resized(self._images[index])}


class NpzUnpairedSets(UnpairedSets):
    """Both sides of a file."""

    OPTIONS: ClassVar[type] = NpzUnpairedOptions

    def __init__(self, options: NpzUnpairedOptions, *, data_dir: Path) -> None:
        file = NpzFile(options)
        has_truth = options.truth and {"source_name", "image_name"} <= set(file.arrays)
        parts = {side: NpzUnpaired(options, file, side, data_dir=data_dir) for side in get_args(Side)}
        super().__init__(options.NAME, parts, has_truth)
