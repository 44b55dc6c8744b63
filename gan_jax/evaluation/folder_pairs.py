"""A folder of pictures scored against a folder of what they should be: pairs of one name, of any size."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from absl import logging

from gan_jax.data.codecs import Pixels
from gan_jax.data.decoding import MAX_MEGAPIXELS, Reading, Unreadable, decoded
from gan_jax.data.examination import Examination, digest, examine, in_threads
from gan_jax.data.picture_files import PictureFolder, all_pictures
from gan_jax.evaluation.metric import Metric, Pairs
from gan_jax.evaluation.sources.folder_images import OPTION, folder_name
from gan_jax.evaluation.sources.image_source import spelled
from gan_jax.feature_networks.simple_networks import no_network
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import counted, listed, printable

CHANNELS = 3  # a grey picture has three equal ones


@dataclass(frozen=True)
class FolderPairs:
    """Pictures and their truths.

    Attributes:
        sides: both folders, looked at: the pictures, the truths.
        paths: of each pair by its name, which is the path in its folder without the ending.
    """

    sides: tuple[Examination, Examination]
    paths: Mapping[str, tuple[Path, Path]]

    def named(self, side: int) -> tuple[str, str]:
        """What a protocol calls a side, and a fingerprint of its files and of how they are read."""
        content = hashlib.sha256()
        files = [pair[side] for pair in self.paths.values()]
        folder = self.sides[side].found.folder
        for _, part in in_threads(digest, files, f"reading {printable(folder.name)}"):
            content.update(bytes.fromhex(str(part)))
        reading = self.sides[side].reading
        values = reading.value_range or reading.deep_range
        kind = "of any size" + (f" values {values[0]:g} to {values[1]:g}" if values else "")
        name = f"folder {printable(folder_name(folder))}"
        return name, f"{len(files)} pictures {kind} sha256 {content.hexdigest()}"

    def read(self, name: str) -> Pairs:
        """One pair, decoded.

        Raises:
            UserError: one of the files is damaged.
        """
        pictures = []
        for look, path in zip(self.sides, self.paths[name], strict=True):
            try:
                with decoded(path, look.reading) as image:
                    pictures.append(np.asarray(image).reshape(1, image.height, image.width, CHANNELS))
            except Unreadable as error:
                look.bad[path] = str(error)
                raise look.complaint() from error
        fake, truth = pictures
        return Pairs(fake, truth, no_network(Pixels()))

    def values(self, metrics: Mapping[str, Metric]) -> dict[str, dict[str, float]]:
        """For each pair the scores of metrics that have values for pairs, read by several threads.

        Raises:
            UserError: damaged files, or pictures that a metric cannot compare.
        """

        def measured(path: Path) -> dict[str, float]:
            pairs = self.read(by_path[path])
            found: dict[str, float] = {}
            for metric in metrics.values():
                assert metric.each is not None
                try:
                    found |= {score: float(value[0]) for score, value in metric.each(pairs).items()}
                except UserError as error:
                    raise UserError(f"{by_path[path]}: {error}") from error
            return found

        by_path = {pair[0]: name for name, pair in self.paths.items()}
        result = {}
        for path, found in in_threads(measured, list(by_path), "comparing"):
            assert not isinstance(found, Unreadable)
            result[by_path[path]] = found
        return result


def folder_pairs(
    fake: str | Path,
    truth: str | Path,
    *,
    value_range: Sequence[float] = (),
    max_megapixels: float = MAX_MEGAPIXELS,
) -> FolderPairs:
    """The pictures in and below two folders, those of one name together, whatever their endings.

    They are read as for training, as RGB. Truths without a picture are left out, with a warning.

    Args:
        value_range, max_megapixels: as in `decoding.Reading`.

    Raises:
        UserError: pictures without a truth, of another size than it, or that cannot be read: all are listed;
            pictures of more than 8 bits that show another range than the truths.
    """
    try:
        reading = Reading(CHANNELS, tuple(value_range), max_megapixels)
    except ValueError as error:
        raise UserError(f"{OPTION}{error}") from error
    found = all_pictures(fake), all_pictures(truth)
    paths = _matched(found)
    looks = []
    for number, side in enumerate(found):
        matched: list[tuple[Path, int | None]] = [(pair[number], None) for pair in paths.values()]
        looks.append(examine(replace(side, splits={"": matched}), reading, OPTION))
        if looks[-1].bad or looks[-1].problems:
            raise looks[-1].complaint()
        looks[-1].warn()
    sides = looks[0], looks[1]
    _check_sizes(sides, paths)
    _check_ranges(sides)
    return FolderPairs(sides, paths)


def _matched(found: tuple[PictureFolder, PictureFolder]) -> dict[str, tuple[Path, Path]]:
    """The files of each name in both folders."""
    fakes, truths = map(_by_name, found)
    folders = [printable(side.folder) for side in found]
    alone = [name for name in fakes if name not in truths]
    left = [name for name in truths if name not in fakes]
    if alone:
        those = f"; of {folders[1]} {counted(len(left), 'picture')}: {listed(left, 10)}" if left else ""
        raise UserError(
            f"{counted(len(alone), 'picture')} of {folders[0]} {'has' if len(alone) == 1 else 'have'} no "
            f"picture of the same name in {folders[1]}: {listed(alone, 10)}{those}. Pairs have one name, but "
            "for the ending"
        )
    if left:
        logging.warning("%s of %s have no picture: %s", len(left), folders[1], listed(left, 10))
    return {name: (path, truths[name]) for name, path in fakes.items()}


def _by_name(found: PictureFolder) -> dict[str, Path]:
    """The files of a folder by their paths in it, without the ending."""
    names: dict[str, Path] = {}
    for path in found.paths:
        name = printable(path.relative_to(found.folder).with_suffix(""))
        if name in names:
            raise UserError(
                f"{printable(found.folder)} has two pictures of one name "
                f"({found.named([names[name], path])}): rename one"
            )
        names[name] = path
    return names


def _check_sizes(sides: tuple[Examination, Examination], paths: Mapping[str, tuple[Path, Path]]) -> None:
    """Raises a UserError that lists the pairs of two sizes."""
    wrong = []
    for name, pair in paths.items():
        headers = [look.headers[path] for look, path in zip(sides, pair, strict=True)]
        sizes = [spelled((header.height, header.width)) for header in headers]
        if sizes[0] != sizes[1]:
            wrong.append(f"{name}: {sizes[0]} and {sizes[1]}")
    if wrong:
        raise UserError(
            f"{counted(len(wrong), 'pair')} of pictures of two sizes, height x width "
            f"({listed(wrong, 10, '; ')}): a picture and its truth must be of one"
        )


def _check_ranges(sides: tuple[Examination, Examination]) -> None:
    """Raises a UserError where one value would become two levels of brightness."""
    ranges = [look.reading.deep_range for look in sides]
    if all(ranges) and ranges[0] != ranges[1]:
        shown = " and ".join(
            f"those of {printable(look.found.folder)} as {low:g} to {high:g}"
            for look, (low, high) in zip(sides, ranges, strict=True)
        )
        raise UserError(
            f"pictures of more than 8 bits: {shown} would be read. Say with {OPTION}value_range=LOW,HIGH "
            "what is black and white in both"
        )
