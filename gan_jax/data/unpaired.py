"""Two folders of pictures that do not belong together in pairs, as for CycleGAN."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, get_args

import numpy as np

from gan_jax.data.decoding import decoded
from gan_jax.data.examination import Examination, mark_too_small, read_all, warn_if_dark
from gan_jax.data.families import mixed, split_by_family
from gan_jax.data.folder_builder import REMEDY, FolderBuilder
from gan_jax.data.picture_files import PictureFolder
from gan_jax.data.resizing import check_choice
from gan_jax.data.sides import SidesOptions, find_sides, names_of, no_sides
from gan_jax.data.spec import Field
from gan_jax.data.unpaired_sets import Side, SideBuilder, UnpairedSets
from gan_jax.utils.names import printable
from gan_jax.utils.paths import expanded


@dataclass(frozen=True)
class UnpairedOptions(SidesOptions):
    """Which pictures the two sides are, and their size.

    Attributes:
        truth: whether held-out pictures of one name on both sides show the same, so that what is made of the
            one can be compared with the other. Only where all of their names are the same.
    """

    NAME = "unpaired"

    truth: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.NAME, "truth", self.truth, (False, True))


class Unpaired(FolderBuilder, SideBuilder):
    """The builder of one side."""

    OPTIONS = UnpairedOptions
    options: UnpairedOptions

    def __init__(self, options: UnpairedOptions, found: PictureFolder, side: Side, *, data_dir: Path) -> None:
        self._side = side
        channels = options.channels if side == "image" else options.source_channels
        super().__init__(options, _held_out(found, options), channels, data_dir=data_dir)

    def config_name(self) -> str:
        options, splits = self.options, {name: len(part) for name, part in self._pictures.splits.items()}
        size = f"{self._side}_{options.resizing}x{self._channels}"
        return self.name_of(size, options.crop, options.filter, options.family, splits, "mixed")

    def fields(self) -> dict[str, Field]:
        size = self.options.resizing
        return {"image": Field((size.height, size.width, self._channels))}

    def judge(self, look: Examination) -> None:
        mark_too_small(look, self.options.resizing)

    def num_examples(self, split: str) -> int:
        return len(self._pictures.splits[split])

    def names(self, split: str, left_out: Collection[str]) -> list[str]:
        names, folder = names_of(self._pictures), self._pictures.folder
        paths = [path for path, _ in self._pictures.splits[split]]
        return [names[path] for path in paths if printable(path.relative_to(folder)) not in left_out]

    def records(self, split: str) -> Iterator[dict[str, Any]]:
        brightest = 0
        paths = [path for path, _ in self._pictures.splits[split]]
        for _, image in read_all(self._look, self._read, paths, REMEDY):
            brightest = max(brightest, int(image[..., :3].max()))
            yield {"image": image}
        warn_if_dark(self._look, brightest)

    def _read(self, path: Path) -> np.ndarray:
        with decoded(path, self._look.reading) as image:
            return self.options.resizing(image)


class UnpairedFolders(UnpairedSets):
    """Both sides of a folder."""

    OPTIONS: ClassVar[type] = UnpairedOptions

    def __init__(self, options: UnpairedOptions, *, data_dir: Path) -> None:
        folder = expanded(options.folder).absolute()
        sides = find_sides(folder, options.source, options.image)
        if sides is None:
            raise no_sides(options.NAME, folder)
        parts = {
            side: Unpaired(options, found, side, data_dir=data_dir)
            for side, found in zip(get_args(Side), sides, strict=True)
        }
        super().__init__(options.NAME, parts, options.truth)


def _held_out(found: PictureFolder, options: UnpairedOptions) -> PictureFolder:
    """The pictures of a side without classes, those of each split mixed."""
    names = names_of(found)
    splits = {split: [path for path, _ in files] for split, files in found.splits.items()}
    if not found.sub_folders and not found.problems:
        paths = found.paths
        by_family = split_by_family(options.NAME, [names[path] for path in paths], options.family)
        splits = {split: [paths[index] for index in indices] for split, indices in by_family.items()}
    ordered: dict[str, list[tuple[Path, int | None]]] = {
        split: [(path, None) for path in mixed(paths, lambda path: names[path])]
        for split, paths in splits.items()
    }
    return replace(found, class_names=None, num_labels=0, splits=ordered)
