"""The pictures of a folder, with their classes and splits: found in one way for training and for scoring."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from absl import logging
from PIL import Image

from gan_jax.data.absent import not_there
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import disk_errors
from gan_jax.utils.names import counted, listed, natural_order, printable
from gan_jax.utils.paths import expanded
from gan_jax.utils.untrusted import parse_json

LABELS = "dataset.json"  # as StyleGAN2-ADA's dataset_tool.py writes it beside the pictures
GENERATED = "augment.json"  # what `gan-jax augment` says of the pictures beside it
MAX_CLASSES = 100_000  # a label beyond is a mistake
_MAX_LABELS_BYTES = 2**30
# What Pillow opens without having the pixels (HDF5), in another way than by decoding (EPS by a program), or
# as the first frame of a film (MPEG).
_NO_RASTER = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
_OF_SYSTEMS = {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"}
SPLIT_NAMES = {"train": "train", "training": "train", "test": "test", "testing": "test"} | dict.fromkeys(
    ("val", "valid", "validation", "dev"), "validation"
)


def formats() -> list[str]:
    """Pillow's names of the formats whose pixels it decodes itself, in the order in which it tries them."""
    Image.init()
    return [name for name in Image.ID if name not in _NO_RASTER]


def endings() -> set[str]:
    """Of the files in these formats, in small letters, with the dot."""
    readable = set(formats())
    return {ending for ending, name in Image.registered_extensions().items() if name in readable}


@dataclass
class PictureFolder:
    """The pictures of a folder.

    Attributes:
        folder: where they are.
        class_names: what the labels mean, in natural order; None where there are none.
        splits: of "train" (all, where the folder has no splits), "validation" and "test" the files with their
            labels (or None): class after class, or in the order of their names.
        sub_folders: of each split; empty where the folder has no splits.
        num_labels: one more than the greatest in the labels file; 0 without one.
        problems: why it cannot be used as it is, each with counts and the first names.
    """

    folder: Path
    class_names: tuple[str, ...] | None = None
    splits: dict[str, list[tuple[Path, int | None]]] = field(default_factory=dict)
    sub_folders: dict[str, Path] = field(default_factory=dict)
    num_labels: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def paths(self) -> list[Path]:
        """The files of all splits."""
        return [path for files in self.splits.values() for path, _ in files]

    def one_split(self) -> PictureFolder:
        """With "train" alone, or the only split that there is.

        Raises:
            UserError: there are several, and train is not among them.
        """
        if "train" not in self.splits and len(self.splits) > 1:
            names = ", ".join(sorted(printable(folder.name) for folder in self.sub_folders.values()))
            raise UserError(
                f"{printable(self.folder)} has the splits {names}, and no train: give the folder of one"
            )
        split = "train" if "train" in self.splits else next(iter(self.splits))
        return replace(self, splits={split: self.splits[split]})

    def named(self, paths: Sequence[Path]) -> str:
        """Files or folders as a message lists them."""
        return listed([printable(path.relative_to(self.folder)) for path in paths])


def find_pictures(folder: str | Path) -> PictureFolder:
    """The pictures in a folder and its sub-folders, which are classes, splits, or splits of classes.

    A picture is a file with the ending of a format that Pillow decodes. Hidden files and folders are left out
    at every level; other files too, with a warning. Links are followed, but to a folder above, or a second
    time within a class. Sub-folders are splits if each of them is called train, val or test (or training,
    valid, validation, dev, testing); else they are classes in natural order. With a `dataset.json` as
    StyleGAN2-ADA writes it, {"labels": [["00000/img00000000.png", 3], ...]} or {"labels": null}, that has the
    labels, and sub-folders mean nothing.

    Raises:
        UserError: no such folder, no pictures in it, or it cannot be read. Other problems are in the result.
    """
    folder = expanded(folder)
    _check_folder(folder)
    found = PictureFolder(folder)
    with disk_errors(f"read {printable(folder)}"):
        top = _Listing(folder, deep=False)
        inside = {name: _Listing(path) for name, path in top.folders.items()}
        filled = [name for name, listing in inside.items() if listing.pictures]
        is_labelled = (folder / LABELS).is_file()
        if filled and not top.pictures and not is_labelled and all(n.lower() in SPLIT_NAMES for n in filled):
            parts = _splits(found, [top.folders[name] for name in filled])
        else:
            parts = {"train": _part(found, top, inside)}
    _number(found, parts)
    if not found.paths and not found.problems:
        raise UserError(f"no pictures in {printable(folder)} or its {counted(len(inside), 'sub-folder')}")
    _warn(found, [top, *inside.values()])
    return found


def all_pictures(given: str | Path) -> PictureFolder:
    """The pictures in a folder and below it, in the order of their names, whatever the sub-folders mean.

    Of a file it alone, whatever its ending. What is left out of a folder is as in `find_pictures`.

    Raises:
        UserError: nothing of this name, no pictures in it, or it cannot be read.
    """
    path = expanded(given)
    if path.is_file():
        return PictureFolder(path.parent, splits={"": [(path, None)]})
    if not path.is_dir():
        raise UserError(f"{printable(path)} is neither a picture nor a folder of pictures")
    with disk_errors(f"read {printable(path)}"):
        listing = _Listing(path)
    found = PictureFolder(path, splits={"": [(picture, None) for picture in listing.pictures]})
    if not listing.pictures:
        raise UserError(f"no pictures in {printable(path)} or below it")
    _warn(found, [listing])
    return found


def folders_of_pictures(folder: Path) -> tuple[dict[str, Path], list[Path]]:
    """The sub-folders with pictures in them or below, by name in natural order, and the pictures beside them.

    Raises:
        UserError: no such folder, or it cannot be read.
    """
    _check_folder(folder)
    with disk_errors(f"read {printable(folder)}"):
        top = _Listing(folder, deep=False)
        return {name: path for name, path in top.folders.items() if _Listing(path).pictures}, top.pictures


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        what = "no folder" if folder.exists() else not_there(folder)
        raise UserError(f"the folder of pictures {printable(folder)} is {what}")


# Files and the names of their classes; None without classes.
_Part = list[tuple[Path, str | None]]


class _Listing:
    """What is in a folder, hidden files left out: with `deep` below it too, else with its sub-folders."""

    def __init__(self, folder: Path, deep: bool = True) -> None:
        self.folder = folder
        self.pictures: list[Path] = []
        self.folders: dict[str, Path] = {}  # by their names as classes
        self.others: list[Path] = []
        self.known: list[Path] = []  # folders that a link leads to again
        self.same: list[Path] = []  # folders whose names differ only in bytes that nobody sees
        seen = {_identity(above) for above in folder.absolute().parents}
        known_endings = endings()
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            if _identity(here) in seen:
                self.known.append(here)
                continue
            seen.add(_identity(here))
            for entry in _entries(here):
                path = Path(entry.path)
                link = entry.is_symlink()
                if entry.name.startswith(".") or entry.name in _OF_SYSTEMS:
                    continue
                if path.is_dir() if link else entry.is_dir():
                    if deep:
                        waiting.append(path)
                    elif _identity(path) in seen:
                        self.known.append(path)
                    elif (name := printable(entry.name)) in self.folders:
                        self.same.append(path)
                    else:
                        self.folders[name] = path
                # A link to nothing is kept, and found to be unreadable; a pipe would be waited for.
                elif path.suffix.lower() in known_endings and (
                    path.is_file() or not path.exists() if link else entry.is_file()
                ):
                    self.pictures.append(path)
                elif entry.name not in (LABELS, GENERATED):
                    self.others.append(path)
        self.pictures.sort()
        self.folders = {name: self.folders[name] for name in natural_order(self.folders)}


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _splits(found: PictureFolder, folders: list[Path]) -> dict[str, _Part]:
    parts: dict[str, _Part] = {}
    for folder in folders:
        split = SPLIT_NAMES[folder.name.lower()]
        if split in parts:
            names = f"{found.sub_folders[split].name} and {folder.name}"
            found.problems.append(f"{names} both are the split {split}: keep one of them")
            continue
        top = _Listing(folder, deep=False)
        parts[split] = _part(found, top, {name: _Listing(path) for name, path in top.folders.items()})
        found.sub_folders[split] = folder
    for split, part in parts.items():
        if split != "train" and "train" in parts:
            own, others = ({name for _, name in files} for files in (part, parts["train"]))
            if strange := natural_order(str(name) for name in own - others):
                found.problems.append(
                    f"the split {split} has classes that train lacks ({listed(strange)})"
                    if own != {None}
                    else f"the split {split} has no classes, and train has some"
                )
    return parts


def _part(found: PictureFolder, top: _Listing, inside: dict[str, _Listing]) -> _Part:
    """The pictures of the folder, or of a split of it."""
    listings = [top, *inside.values()]
    if (top.folder / LABELS).is_file():
        paths = sorted(path for listing in listings for path in listing.pictures)
        labelled = _from_labels_file(found, top.folder, paths)
        if labelled is not None:
            return labelled
    if top.same:
        found.problems.append(
            f"two sub-folders have the same name but for unseen bytes: {found.named(top.same)}"
        )
    filled = [listing for listing in inside.values() if listing.pictures]
    if top.pictures and filled:
        folders = found.named([listing.folder for listing in filled])
        found.problems.append(
            f"{counted(len(top.pictures), 'picture')} ({found.named(top.pictures)}) beside "
            f"{counted(len(filled), 'sub-folder')} with pictures ({folders}): "
            "put all into the folder itself, or all into one sub-folder per class"
        )
    empty = [listing.folder for listing in inside.values() if not listing.pictures]
    if filled and empty:
        found.problems.append(
            f"no pictures in {counted(len(empty), 'sub-folder')} ({found.named(empty)}): add some, or remove "
            "what is no class"
        )
    files: _Part = [(path, None) for path in top.pictures]
    return files + [(path, name) for name, listing in inside.items() for path in listing.pictures]


def _from_labels_file(found: PictureFolder, folder: Path, paths: list[Path]) -> _Part | None:
    """The pictures as the labels file says; None if it is another program's."""
    file = folder / LABELS
    named = printable(file.relative_to(found.folder))
    try:
        content = parse_json(file.read_bytes()) if file.stat().st_size <= _MAX_LABELS_BYTES else None
        rows = content["labels"] if isinstance(content, dict) and "labels" in content else ()
        labels = None if rows is None else {str(name).replace("\\", "/"): label for name, label in rows}
    except (ValueError, TypeError) as error:
        found.problems.append(f"{named} cannot be read ({type(error).__name__}): mend or remove it")
        return [(path, None) for path in paths]
    if labels is None:
        return [(path, None) for path in paths]
    if rows == ():
        logging.warning("%s holds no labels; it is left out", printable(file))
        return None
    keys = {path: os.fsdecode(path.relative_to(folder).as_posix()) for path in paths}
    missing = [path for path in paths if keys[path] not in labels]
    wrong = [path for path in paths if keys[path] in labels and not _is_label(labels[keys[path]])]
    if missing:
        found.problems.append(
            f"{named} has no label for {counted(len(missing), 'picture')} ({found.named(missing)})"
        )
    if wrong:
        found.problems.append(
            f"{named} gives {counted(len(wrong), 'picture')} ({found.named(wrong)}) a label that is no whole "
            f"number from 0 to {MAX_CLASSES - 1}"
        )
    if gone := sorted(set(labels) - set(keys.values())):
        logging.warning("%s has labels for %d files that are not there (%s)", named, len(gone), listed(gone))
    if missing or wrong:
        return [(path, None) for path in paths]
    found.num_labels = max([found.num_labels, *(label + 1 for label in labels.values() if _is_label(label))])
    return [(path, str(labels[keys[path]])) for path in paths]


def _is_label(value: Any) -> bool:
    return type(value) is int and 0 <= value < MAX_CLASSES


def _number(found: PictureFolder, parts: dict[str, _Part]) -> None:
    """Fills in the files with their labels."""
    names = natural_order(
        {name for part in parts.values() for _, name in part if name is not None}
        | {str(label) for label in range(found.num_labels)}
    )
    number = {name: label for label, name in enumerate(names)}
    found.class_names = tuple(names) or None
    for split, part in parts.items():
        found.splits[split] = [(path, None if name is None else number[name]) for path, name in part]


def _warn(found: PictureFolder, listings: list[_Listing]) -> None:
    """Says what is left out."""
    if others := sorted(path for listing in listings for path in listing.others):
        _say(
            "%s in %s left out: not of a format that is read as a picture (%s)",
            counted(len(others), "file"),
            printable(found.folder),
            found.named(others),
        )
    if known := sorted(path for listing in listings for path in listing.known):
        _say(
            "%s in %s left out: they lead to a folder that is read already, or to one above (%s)",
            counted(len(known), "link"),
            printable(found.folder),
            found.named(known),
        )
    alike = [name for name in found.class_names or () if name.lower() in SPLIT_NAMES and not found.num_labels]
    if not found.sub_folders and len({SPLIT_NAMES[name.lower()] for name in alike}) > 1:
        _say(
            "%s of %s are taken as classes, because there are others beside them: if they are splits, move "
            "others away",
            *(listed(alike), printable(found.folder)),
        )
    if found.sub_folders:
        sizes = ", ".join(
            f"{split} ({counted(len(files), 'picture')})" for split, files in found.splits.items()
        )
        _say(
            "the sub-folders of %s are taken as its splits: %s; rename them if they are classes",
            printable(found.folder),
            sizes,
        )


@functools.cache
def _say(text: str, *values: str) -> None:
    """A warning, once in a process, since a folder is looked at again for each of its splits."""
    logging.warning(text, *values)
