"""Pairs of pictures in a folder: two sub-folders with files of the same names, or pictures side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging
from PIL import Image

from gan_jax.data.decoding import converted, decoded
from gan_jax.data.examination import Examination, read_all, warn_if_dark
from gan_jax.data.families import split_by_family
from gan_jax.data.folder_builder import REMEDY, FolderBuilder
from gan_jax.data.picture_files import PictureFolder, find_pictures
from gan_jax.data.sides import SidesOptions, find_sides, names_of
from gan_jax.data.spec import Field
from gan_jax.utils.names import counted, printable
from gan_jax.utils.paths import expanded

_Sides = tuple[PictureFolder, PictureFolder]


@dataclass(frozen=True)
class PairsFolderOptions(SidesOptions):
    """Which pairs, and their size.

    A folder without two sides has pictures side by side, the left half of each is the source, the right half
    the image; sub-folders are splits and classes as in `find_pictures`.
    """

    NAME = "pairs_folder"


class PairsFolder(FolderBuilder):
    """The builder. Where no sub-folders say it, a tenth of the families is the split test."""

    OPTIONS = PairsFolderOptions
    options: PairsFolderOptions

    def __init__(self, options: PairsFolderOptions, *, data_dir: Path) -> None:
        folder = expanded(options.folder).absolute()
        sides = find_sides(folder, options.source, options.image)
        self._are_halves = sides is None
        found = find_pictures(folder) if sides is None else _both(folder, sides)
        # Of the images the sources; a picture side by side is both.
        self._sources, self._alone = (
            ({path: path for path in found.paths}, {}) if sides is None else _partners(sides)
        )
        names = names_of(found) if sides is None else names_of(sides[0]) | names_of(sides[1])
        has_splits = found.sub_folders if sides is None else sides[0].sub_folders or sides[1].sub_folders
        if not has_splits and not found.problems:
            found = _held_out(found, names, options)
        super().__init__(options, found, options.channels, data_dir=data_dir)

    def config_name(self) -> str:
        options, splits = self.options, {name: len(part) for name, part in self._pictures.splits.items()}
        size = f"{options.resizing}x{options.source_channels}_to_{options.channels}"
        named = (options.source, options.image, options.family, self._are_halves, splits)
        return self.name_of(size, options.crop, options.filter, *named)

    def fields(self) -> dict[str, Field]:
        size, options = self.options.resizing, self.options
        channels = {"source": options.source_channels, "image": options.channels}
        return {name: Field((size.height, size.width, count)) for name, count in channels.items()}

    def class_names(self) -> tuple[str, ...] | None:
        return self._pictures.class_names

    def judge(self, look: Examination) -> None:
        look.bad |= {path: why for path, why in self._alone.items() if path not in look.bad}
        for path in self._sources:
            header = look.headers.get(path)
            if header is None:
                continue
            width = header.width // 2 if self._are_halves else header.width
            if self._are_halves and header.width % 2:
                look.bad[path] = "of an odd width, so without two halves"
            elif self.options.resizing.is_too_small(header.height, width):
                look.bad[path] = f"smaller than {self.options.resizing}"

    def collect(self, source: Path | None) -> None:
        super().collect(source)
        for split in self.splits():
            if not self._pairs(split):
                self._look.problems.append(f"no pair is left of the split {split}")
                raise self._look.complaint("Mend them")
        self._warn_of_layout()
        self._warn_of_sizes()

    def _warn_of_layout(self) -> None:
        """Says what is taken as source and image, where the options do not."""
        where, (image, _) = printable(self._pictures.folder), self._pairs(self.splits()[0])[0]
        if self._are_halves:
            logging.warning(
                "the pictures in %s are taken as pairs side by side: the left half is the source", where
            )
        elif not self.options.source:
            source, made = (self._pictures.named([path.parent]) for path in (self._sources[image], image))
            logging.warning("in %s the pictures of %s are sources, those of %s images", where, source, made)

    def _warn_of_sizes(self) -> None:
        """Says which pictures are enlarged, and which are brought to the size of their partners."""
        where = printable(self._pictures.folder)
        size, headers = self.options.resizing, self._look.headers
        images = [image for split in self.splits() for image, _ in self._pairs(split)]
        half = 2 if self._are_halves else 1
        small = [
            path
            for path in images
            if headers[path].height < size.height or headers[path].width // half < size.width
        ]
        other = [
            path
            for path in images
            if (headers[path].height, headers[path].width)
            != (headers[self._sources[path]].height, headers[self._sources[path]].width)
        ]
        for paths, what in (
            (small, f"are smaller than {size} and enlarged"),
            (other, "have sources of another size, which are resized to theirs first"),
        ):
            if paths:
                named = self._pictures.named(paths)
                logging.warning("%s in %s (%s) %s", counted(len(paths), "picture"), where, named, what)

    def _pairs(self, split: str) -> list[tuple[Path, int | None]]:
        """The images of a split that have a source, with their labels."""
        bad = self._look.bad
        return [
            (path, label)
            for path, label in self._pictures.splits[split]
            if path in self._sources and self._sources[path] not in bad
        ]

    def num_examples(self, split: str) -> int:
        return len(self._pairs(split))

    def records(self, split: str) -> Iterator[dict[str, Any]]:
        files, brightest = self._pairs(split), 0
        read = self._read_halves if self._are_halves else self._read_pair
        pairs = read_all(self._look, read, [path for path, _ in files], REMEDY)
        for (_, (source, image)), (_, label) in zip(pairs, files, strict=True):
            brightest = max(brightest, int(image[..., :3].max()))
            pair = {"source": source, "image": image}
            yield pair if label is None else {**pair, "label": label}
        warn_if_dark(self._look, brightest)

    def _read_pair(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        options, reading = self.options, self._look.reading
        with decoded(path, reading) as image:  # one after the other: each waits for memory
            size, made = image.size, options.resizing(image)
        with decoded(self._sources[path], replace(reading, channels=options.source_channels)) as source:
            if source.size != size:
                source = source.resize(size, Image.Resampling[options.filter.upper()])
            return options.resizing(source), made

    def _read_halves(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        options = self.options
        most = max(options.source_channels, options.channels)
        with decoded(path, replace(self._look.reading, channels=most)) as whole:
            middle = whole.width // 2
            left = whole.crop((0, 0, middle, whole.height))
            right = whole.crop((middle, 0, whole.width, whole.height))
            source, image = converted(left, options.source_channels), converted(right, options.channels)
            return options.resizing(source), options.resizing(image)


def _both(folder: Path, sides: _Sides) -> PictureFolder:
    """All files of both sides, with the classes of the images."""
    source, image = sides
    splits = {
        split: [(path, None) for path, _ in source.splits.get(split, [])] + image.splits.get(split, [])
        for split in dict.fromkeys([*image.splits, *source.splits])
    }
    return PictureFolder(
        folder,
        class_names=image.class_names,
        splits=splits,
        problems=[*source.problems, *image.problems],
    )


def _partners(sides: _Sides) -> tuple[dict[Path, Path], dict[Path, str]]:
    """Of each image its source, and why the other files have no partner."""
    names = [names_of(side) for side in sides]
    found: list[dict[tuple[str, str], Path]] = []
    alone: dict[Path, str] = {}
    for side, own in zip(sides, names, strict=True):
        by_name: dict[tuple[str, str], Path] = {}
        for split, files in side.splits.items():
            for path, _ in files:
                if by_name.setdefault((split, own[path]), path) != path:
                    alone[path] = "with the same name as another on the same side"
        found.append(by_name)
    sources, images = found
    alone |= {path: "without an image of the same name" for key, path in sources.items() if key not in images}
    alone |= {path: "without a source of the same name" for key, path in images.items() if key not in sources}
    return {path: sources[key] for key, path in images.items() if key in sources}, alone


def _held_out(found: PictureFolder, names: dict[Path, str], options: PairsFolderOptions) -> PictureFolder:
    """The pictures with a tenth of the families as the split test."""
    (files,) = found.splits.values()
    by_family = split_by_family(options.NAME, [names[path] for path, _ in files], options.family)
    splits = {split: [files[index] for index in indices] for split, indices in by_family.items()}
    return replace(found, splits=splits)
