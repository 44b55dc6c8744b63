"""Large photographs cut into tiles of one size, as for super-resolution and colouring.

Photographs, not tiles, are held out. Whole photographs, which are of any size, are no data set: `gan-jax
translate` takes the files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.data.decoding import PIXELS_AT_A_TIME, Unreadable, decoded
from gan_jax.data.examination import Examination, mark_too_small
from gan_jax.data.families import mixed, split_by_family
from gan_jax.data.folder_builder import REMEDY, FolderBuilder, FolderOptions
from gan_jax.data.picture_files import PictureFolder, find_pictures
from gan_jax.data.resizing import Resizing, check_choice
from gan_jax.data.spec import Field
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import listed, natural_order, printable
from gan_jax.utils.paths import expanded


@dataclass(frozen=True)
class PhotosOptions(FolderOptions):
    """How photographs are cut, and which are held out.

    Attributes:
        tile: height and width of a tile, in pixels; a smaller photograph cannot be used.
        stride: from one tile to the next, both ways. What is left at the right and at the bottom is not used.
        channels: 1 (grey) or 3 (RGB).
        held_out: a regular expression; photographs whose whole name (without the ending) it matches are the
            split test. "": a tenth, by a hash of the name (see `families`). Where the folder has sub-folders
            train and test, these are the splits.
    """

    NAME = "photos"

    tile: int = 128
    stride: int = 64
    channels: int = 3
    held_out: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.NAME, "channels", self.channels, (1, 3))
        if self.tile < 1 or self.stride < 1:
            raise UserError(
                f"photos: tile is {self.tile} and stride {self.stride}; both must be at least 1 pixel."
            )
        try:
            re.compile(self.held_out)
        except re.error as error:
            raise UserError(
                f"photos: held_out is {self.held_out!r}, which is no regular expression ({error}); "
                "'kodim(19|2.)' are kodim19 to kodim24."
            ) from error


class Photos(FolderBuilder):
    """The builder. The label of a tile is the number of its photograph, the class's name the file's."""

    OPTIONS = PhotosOptions
    options: PhotosOptions

    def __init__(self, options: PhotosOptions, *, data_dir: Path) -> None:
        found = find_pictures(expanded(options.folder).absolute())
        pictures = replace(found, class_names=None, num_labels=0)
        self._names = _names(found)
        self._numbers = {path: number for number, path in enumerate(self._names)}
        pictures.splits = {
            split: [(path, None) for path in paths]
            for split, paths in _splits(found, self._names, options).items()
        }
        super().__init__(options, pictures, options.channels, data_dir=data_dir)

    def config_name(self) -> str:
        options = self.options
        held_out = {split: len(files) for split, files in self._pictures.splits.items()}
        return self.name_of(
            f"{options.tile}x{options.tile}x{options.channels}_every_{options.stride}",
            options.held_out,
            held_out,
            "mixed",
        )

    def fields(self) -> dict[str, Field]:
        options = self.options
        return {"image": Field((options.tile, options.tile, options.channels))}

    def class_names(self) -> tuple[str, ...]:
        return tuple(self._names.values())

    def judge(self, look: Examination) -> None:
        mark_too_small(look, Resizing(self.options.tile, self.options.tile, "cut"))

    def num_examples(self, split: str) -> int:
        headers = (self._look.headers[path] for path, _ in self._pictures.splits[split])
        return sum(len(self._starts(h.height)) * len(self._starts(h.width)) for h in headers)

    def records(self, split: str) -> Iterator[dict[str, Any]]:
        """The tiles, those of several photographs mixed, so that the first ones show what there is."""
        tile = self.options.tile
        for paths in self._groups(split):
            photos = {path: self._read(path) for path in paths}
            places = [
                (path, top, left)
                for path, photo in photos.items()
                for top in self._starts(photo.shape[0])
                for left in self._starts(photo.shape[1])
            ]
            for path, top, left in mixed(places, self._place):
                cut = photos[path][top : top + tile, left : left + tile]
                yield {"image": np.ascontiguousarray(cut), "label": self._numbers[path]}

    def _groups(self, split: str) -> Iterator[list[Path]]:
        """The photographs of a split, as many at a time as are held in memory, or a single larger one."""
        group: list[Path] = []
        pixels = 0
        for path, _ in self._pictures.splits[split]:
            header = self._look.headers[path]
            own = header.height * header.width
            if group and pixels + own > PIXELS_AT_A_TIME:
                yield group
                group, pixels = [], 0
            group.append(path)
            pixels += own
        yield group

    def _place(self, place: tuple[Path, int, int]) -> str:
        """A tile's name."""
        path, top, left = place
        return f"{self._names[path]} {top} {left}"

    def _starts(self, side: int) -> range:
        """Where tiles begin along a side of so many pixels."""
        return range(0, side - self.options.tile + 1, self.options.stride)

    def _read(self, path: Path) -> np.ndarray:
        try:
            with decoded(path, self._look.reading) as image:
                return np.asarray(image).reshape(image.height, image.width, self.options.channels)
        except Unreadable as error:
            self._look.bad[path] = str(error)
            raise self._look.complaint(REMEDY) from error


def _names(found: PictureFolder) -> dict[Path, str]:
    """What the photographs are called, in natural order: as their files, without the ending where that tells
    them apart."""
    for name_of in (
        lambda path: path.stem,
        lambda path: path.relative_to(found.folder).with_suffix("").as_posix(),
        lambda path: path.relative_to(found.folder).as_posix(),
    ):
        paths = {printable(name_of(path)): path for path in found.paths}
        if len(paths) == len(found.paths):
            break
    return {paths[name]: name for name in natural_order(paths)}


def _splits(found: PictureFolder, names: dict[Path, str], options: PhotosOptions) -> dict[str, list[Path]]:
    """The photographs of each split, in the order of their names."""
    if found.sub_folders and options.held_out:
        folders = listed([printable(path.name) for path in found.sub_folders.values()])
        raise UserError(
            f"photos: held_out is {options.held_out!r}, and the sub-folders {folders} are the splits: "
            "leave data.held_out empty."
        )
    if found.sub_folders:
        members = {split: {path for path, _ in files} for split, files in found.splits.items()}
        return {split: [path for path in names if path in own] for split, own in members.items()}
    paths = list(names)
    if not options.held_out:
        by_family = split_by_family(options.NAME, list(names.values()), "")
        return {split: [paths[index] for index in indices] for split, indices in by_family.items()}
    by_match: dict[bool, list[Path]] = {True: [], False: []}
    for path, name in names.items():
        by_match[re.fullmatch(options.held_out, name) is not None].append(path)
    test, train = by_match[True], by_match[False]
    if not test or not train:
        raise UserError(
            f"photos: held_out is {options.held_out!r}, which matches {'none' if not test else 'all'} of the "
            f"{len(paths)} names ({listed(list(names.values()))})."
        )
    return {"train": train, "test": test}
