"""All files of a folder of pictures looked at before they are used, so that what is wrong is said at once."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from absl import logging
from tqdm import tqdm

from gan_jax.data.decoding import Header, Reading, Unreadable, Values, decoded, read_header, read_values
from gan_jax.data.picture_files import PictureFolder
from gan_jax.data.resizing import Resizing
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import counted, listed, printable

AT_A_TIME = 64  # files in work at once
_DEPTHS = (8, 10, 12, 14, 16)  # bits of what is stored in 16
_DARK = 64  # pictures whose brightest value is below this are said to be dark
_NEAR = 0.05  # floats reach this near to both ends of a range, or it is not clear which range is meant

T = TypeVar("T")


@dataclass
class Examination:
    """What a look at all files of a folder found.

    Attributes:
        found: the folder.
        reading: as asked for, with the range found for files of more than 8 bits.
        option: what an option's name stands behind in messages: "--" or "data.".
        headers: of the pictures that can be used, as far as that is known.
        bad: for each other file why; completes "3 pictures ...".
        problems: of the folder as a whole.
    """

    found: PictureFolder
    reading: Reading
    option: str
    headers: dict[Path, Header] = field(default_factory=dict)
    bad: dict[Path, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def complaint(self, remedy: str = "Mend or remove them") -> UserError:
        """The error that tells all that is wrong with the folder, with counts and the first names."""
        said = list(self.problems)
        if self.bad:
            total = counted(len(self.found.paths), "picture")
            said.append(f"{len(self.bad)} of {total} cannot be used: {self.reasons()}. {remedy}")
            if any("megapixels" in reason for reason in self.bad.values()):
                said[-1] += f", or allow larger ones with {self.option}max_megapixels"
        return UserError(f"the folder of pictures {printable(self.found.folder)}: {'; '.join(said)}")

    def reasons(self) -> str:
        """Why files cannot be used: for each reason how many, and the first of them."""
        return "; ".join(self._by_kind(self.bad))

    def bad_names(self) -> dict[str, str]:
        """For each file that cannot be used why, as a record keeps it."""
        return {printable(path.relative_to(self.found.folder)): why for path, why in self.bad.items()}

    def warn(self) -> None:
        """Says what is lost when the pictures are read."""
        counts = Counter(note for header in self.headers.values() for note in header.notes)
        if self.reading.channels < 4:
            counts["with transparency: laid on white"] = sum(h.is_transparent for h in self.headers.values())
        for note, count in (+counts).items():
            logging.warning("%s in %s %s", counted(count, "picture"), printable(self.found.folder), note)

    def _by_kind(self, reasons: dict[Path, str]) -> list[str]:
        kinds: dict[str, list[Path]] = {}
        for path, reason in reasons.items():
            kinds.setdefault(reason, []).append(path)
        return [f"{len(paths)} {reason} ({self.found.named(paths)})" for reason, paths in kinds.items()]


def examine(found: PictureFolder, reading: Reading, option: str, *, decode: bool = False) -> Examination:
    """Looks at the headers of all files, and at the values of those of more than 8 bits.

    Where that shows something wrong, or with `decode`, every picture is decoded, so that all is known.

    Args:
        reading: without a range of values, one is looked for if files have more than 8 bits: the fewest of 8,
            10, 12, 14 and 16 bits that hold all whole numbers; of floats [0, 1] or [-1, 1], if it is clear.
        option: as in `Examination`.
    """
    result = Examination(found, reading, option, problems=list(found.problems))
    name = printable(found.folder.name)
    look = partial(read_header, max_megapixels=reading.max_megapixels)
    for path, header in in_threads(look, found.paths, f"checking {name}"):
        if isinstance(header, Unreadable):
            result.bad[path] = str(header)
        else:
            result.headers[path] = header
    deep = [path for path, header in result.headers.items() if header.is_deep]
    if deep and not reading.value_range:
        _look_for_range(result, deep)
    if decode or result.bad or result.problems:
        decode_all(result)
    return result


def decode_all(result: Examination) -> None:
    """Decodes all pictures and adds to the bad ones those that cannot be."""

    def check(path: Path) -> None:
        with decoded(path, result.reading):
            pass

    for path, error in in_threads(
        check, list(result.headers), f"decoding {printable(result.found.folder.name)}"
    ):
        if isinstance(error, Unreadable):
            result.bad[path] = str(error)
            del result.headers[path]


def mark_too_small(look: Examination, resizing: Resizing) -> None:
    """Adds to the bad pictures those from which this size cannot be cut."""
    for path, header in look.headers.items():
        if resizing.is_too_small(header.height, header.width):
            look.bad[path] = f"smaller than {resizing}"


def without_bad(look: Examination) -> PictureFolder:
    """The folder's pictures but for the bad ones.

    Raises:
        UserError: a class or a split loses all of its pictures.
    """
    found = look.found
    splits = {
        split: [(path, label) for path, label in files if path not in look.bad]
        for split, files in found.splits.items()
    }
    kept = {label for files in splits.values() for _, label in files}
    gone = {label for files in found.splits.values() for _, label in files} - kept
    names = [
        (found.class_names or ())[label] for label in sorted(label for label in gone if label is not None)
    ]
    if names or not all(splits.values()):
        what = f"no picture is left of {counted(len(names), 'class')} ({listed(names)})" if names else ""
        look.problems.append(what or "no picture is left")
        raise look.complaint("Mend them")
    return replace(found, splits=splits)


def read_all(
    look: Examination, read: Callable[[Path], T], paths: Sequence[Path], remedy: str
) -> Iterator[tuple[Path, T]]:
    """Each path with what `read` makes of it, in order.

    Raises:
        UserError: files that cannot be used after all, with `remedy`.
    """
    for path, value in in_threads(read, paths):
        if isinstance(value, Unreadable):  # its header was intact: now all are decoded before it is said
            look.bad[path] = str(value)
            decode_all(look)
            raise look.complaint(remedy)
        yield path, value


def _look_for_range(result: Examination, deep: list[Path]) -> None:
    """Fills in the range of values of the pictures of more than 8 bits."""
    seen: dict[Path, Values] = {}
    look = partial(read_values, max_megapixels=result.reading.max_megapixels)
    for path, values in in_threads(
        look, deep, f"looking at the values in {printable(result.found.folder.name)}"
    ):
        if isinstance(values, Unreadable):
            result.bad[path] = str(values)
            del result.headers[path]
        else:
            seen[path] = values
    if not seen:
        return
    low, high = min(v.low for v in seen.values()), max(v.high for v in seen.values())
    said = f"values of {counted(len(seen), 'picture')} of more than 8 bits: {low:g} to {high:g}"
    flag = f"{result.option}value_range=LOW,HIGH"
    value_range, name = _range(low, high, {v.are_whole for v in seen.values()})
    if not value_range:
        result.problems.append(f"{said}. Say with {flag} which of them become black and white")
        value_range = (low, low + 1)  # so that they are decoded, and what else is wrong is found
    else:
        logging.warning(
            "%s, %s. They are read as %s: %g becomes white. %s sets another range",
            *(printable(result.found.folder), said, name, value_range[1], flag),
        )
    result.reading = replace(result.reading, deep_range=value_range)


def _range(low: float, high: float, are_whole: set[bool]) -> tuple[tuple[float, ...], str]:
    """The range that values from low to high have clearly, and its name; else an empty one."""
    if are_whole == {True}:
        for bits in _DEPTHS:
            if low >= 0 and high < 2**bits:
                return (0.0, 2.0**bits - 1), f"{bits} bits"
    if are_whole == {False}:
        for least in (0.0, -1.0):
            if least <= low <= least + _NEAR and 1 - _NEAR <= high <= 1:
                return (least, 1.0), f"[{least:g}, 1]"
    return (), ""


def warn_if_dark(look: Examination, brightest: int) -> None:
    """Says so if the brightest value of all pictures, as they are read, is a fraction of white."""
    if brightest < _DARK:
        logging.warning(
            "the brightest value in %s is %d of 255; if that should be white, set %svalue_range=LOW,HIGH",
            *(printable(look.found.folder), brightest, look.option),
        )


def digest(path: Path) -> str:
    """sha256 of a file in hex; of one that cannot be read zeros: why it cannot is found in another place."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "00" * 32


def folder_digest(pictures: PictureFolder) -> str:
    """sha256 over the name and the content of every file, and over what else says what they mean."""
    whole = hashlib.sha256()
    title = f"reading {printable(pictures.folder.name)}"
    for path, content in in_threads(digest, pictures.paths, title):
        whole.update(os.fsencode(f"{path.relative_to(pictures.folder).as_posix()}\0{content}\n"))
    if pictures.sub_folders or pictures.num_labels:
        labels = {split: [label for _, label in files] for split, files in pictures.splits.items()}
        whole.update(f"{labels} {pictures.class_names}".encode())
    return whole.hexdigest()


def in_threads(
    function: Callable[[Path], T], paths: Sequence[Path], title: str = ""
) -> Iterator[tuple[Path, T | Unreadable]]:
    """Each path with what the function gives for it, or with its `Unreadable`; in order, by several threads.

    Args:
        title: of a bar; without one none is shown.
    """

    def call(path: Path) -> T | Unreadable:
        try:
            return function(path)
        except Unreadable as error:
            return error

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = itertools.chain.from_iterable(
            pool.map(call, paths[start : start + AT_A_TIME]) for start in range(0, len(paths), AT_A_TIME)
        )
        bar = tqdm(done, title, len(paths), unit=" files", leave=False, disable=None if title else True)
        yield from zip(paths, bar, strict=True)
