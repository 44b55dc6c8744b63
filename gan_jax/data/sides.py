"""The two sides of a folder of pictures for translators: sources, and images that are made of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gan_jax.data.families import check_family
from gan_jax.data.folder_builder import FolderOptions
from gan_jax.data.picture_files import SPLIT_NAMES, PictureFolder, find_pictures, folders_of_pictures
from gan_jax.data.resizing import Crop, Filter, Resizing, check_choice, check_resizing
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import listed, natural_order, printable

_SPLIT_AND_SIDE = re.compile(rf"({'|'.join(SPLIT_NAMES)})[_-]?([ab])", re.IGNORECASE)  # trainA
_LAYOUTS = "A and B, trainA and trainB (testA and testB), or train/A and train/B (test/A and test/B)"


@dataclass(frozen=True)
class SidesOptions(FolderOptions):
    """Which pictures the two sides are, and their size; `folder` has both, see `find_sides`.

    Attributes:
        source: the sub-folder of what is translated, where its name does not say it.
        image: likewise of what it is translated to.
        height: of every picture of the set, in pixels.
        width: likewise; 0 is the same as the height.
        crop: "center", "none" or "cut"; see `resizing.Resizing`.
        filter: Pillow's resampling filter.
        source_channels: 1 (grey), 3 (RGB) or 4 (RGBA).
        channels: of the images, likewise.
        family: a regular expression that finds the family in a picture's name, where the folder does not say
            which pictures are held out; see `families`.
    """

    source: str = ""
    image: str = ""
    height: int = 64
    width: int = 0
    crop: Crop = "center"
    filter: Filter = "lanczos"
    source_channels: int = 3
    channels: int = 3
    family: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_resizing(self.NAME, self.height, self.width, self.crop, self.filter)
        check_choice(self.NAME, "source_channels", self.source_channels, (1, 3, 4))
        check_choice(self.NAME, "channels", self.channels, (1, 3, 4))
        check_family(self.NAME, self.family)

    @property
    def resizing(self) -> Resizing:
        """To the size of the set."""
        return Resizing(self.height, self.width or self.height, self.crop, self.filter)


def find_sides(folder: Path, source: str = "", image: str = "") -> tuple[PictureFolder, PictureFolder] | None:
    """The sources and the images of a folder; None where it has no two sides.

    The sides are two sub-folders, the only ones with pictures, of which the first by name is the source; or
    trainA, trainB, testA and testB, as of CycleGAN's data; or sub-folders train and test with two sides each.
    In a side, sub-folders are splits and classes as in `find_pictures`.

    Args:
        source, image: the names of the two sub-folders, for other layouts; both or none.

    Raises:
        UserError: no such folders, only some of the splits have two sides, or sides of other names, others
            stand beside trainA, or source and image are in each other.
    """
    folders, pictures = folders_of_pictures(folder)
    if source or image:
        return _named(folder, source, image)
    if pictures:
        return None
    matches = {name: _SPLIT_AND_SIDE.fullmatch(name) for name in folders}
    if folders and all(matches.values()):
        places = [
            (SPLIT_NAMES[match[1].lower()], match[2].lower(), folders[name])
            for name, match in matches.items()
            if match
        ]
        return _of_splits(folder, places)
    if any(matches.values()):
        others = [name for name, match in matches.items() if not match]
        raise UserError(
            f"{printable(folder)} has {listed([name for name in folders if matches[name]], 5)} and beside "
            f"them {listed(others)}: move what is no side of a split away."
        )
    if folders and all(name.lower() in SPLIT_NAMES for name in folders):
        inner = {name: folders_of_pictures(path) for name, path in folders.items()}
        sides_of = {name: sides for name, (sides, beside) in inner.items() if len(sides) == 2 and not beside}
        if not sides_of:
            return None
        _check_same_sides(folder, sides_of, folders)
        return _of_splits(
            folder,
            [
                (SPLIT_NAMES[name.lower()], letter, path)
                for name, sides in sides_of.items()
                for letter, path in zip("ab", sides.values(), strict=True)
            ],
        )
    if len(folders) != 2:
        return None
    first, second = folders.values()
    return find_pictures(first), find_pictures(second)


def names_of(found: PictureFolder) -> dict[Path, str]:
    """The names of the pictures of one side, by which two sides are compared: below their split's folder,
    without the ending."""
    return {
        path: printable(path.relative_to(found.sub_folders.get(split, found.folder)).with_suffix(""))
        for split, files in found.splits.items()
        for path, _ in files
    }


def no_sides(name: str, folder: Path) -> UserError:
    """The error of a folder that has no two sides.

    Args:
        name: of the data set.
    """
    folders, pictures = folders_of_pictures(folder)
    held = "pictures" if pictures else f"the sub-folders {listed(list(folders), 5)}" if folders else "nothing"
    return UserError(
        f"{name}: {printable(folder)} holds {held}, and no two sides: give them as {_LAYOUTS}, or name two "
        "sub-folders with data.source and data.image."
    )


def _named(folder: Path, source: str, image: str) -> tuple[PictureFolder, PictureFolder]:
    for option, name in (("source", source), ("image", image)):
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise UserError(f"data.{option}={name}: name a sub-folder of {printable(folder)}.")
    if not (source and image):
        lacking = "image" if source else "source"
        raise UserError(
            f"data.{lacking} is not given: name both sub-folders of {printable(folder)}, or none."
        )
    one, other = ((folder / name).resolve() for name in (source, image))
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise UserError(
            f"data.source={source} and data.image={image} are in each other: name two sub-folders of "
            f"{printable(folder)}."
        )
    return find_pictures(folder / source), find_pictures(folder / image)


def _check_same_sides(
    folder: Path, sides_of: Mapping[str, Mapping[str, Path]], splits: Iterable[str]
) -> None:
    """Raises a UserError if not all splits have two sides of the same names: which is the source?"""
    first, *others = sides_of
    if without := [name for name in splits if name not in sides_of]:
        raise UserError(
            f"{printable(folder)} has two sides in {first} ({listed(list(sides_of[first]))}) and not in "
            f"{listed(without)}: give every split the same two sub-folders, and nothing beside them."
        )
    for name in others:
        if [side.lower() for side in sides_of[name]] != [side.lower() for side in sides_of[first]]:
            raise UserError(
                f"{printable(folder)} has the sides {listed(list(sides_of[first]))} in {first} and "
                f"{listed(list(sides_of[name]))} in {name}: give both the same names."
            )


def _of_splits(folder: Path, parts: Iterable[tuple[str, str, Path]]) -> tuple[PictureFolder, PictureFolder]:
    """The sides from (split, side, its folder)."""
    places: dict[tuple[str, str], Path] = {}
    for split, letter, path in parts:
        if (before := places.setdefault((split, letter), path)) != path:
            names = " and ".join(printable(twice.relative_to(folder)) for twice in (before, path))
            raise UserError(
                f"{printable(folder)}: {names} both are the side {letter.upper()} of the split {split}: keep "
                "one of them."
            )
    splits = list(dict.fromkeys(split for split, _ in places))
    for split in splits:
        for letter in "ab":
            if (split, letter) not in places:
                there = printable(places[split, "b" if letter == "a" else "a"].name)
                raise UserError(
                    f"{printable(folder)} has {there} and no side {letter.upper()} of the same split."
                )
    source, image = ({split: places[split, letter] for split in splits} for letter in "ab")
    return _side(folder, source), _side(folder, image)


def _side(folder: Path, parts: dict[str, Path]) -> PictureFolder:
    """One side from the folder of each of its splits."""
    found = {split: find_pictures(path) for split, path in parts.items()}
    for split, part in found.items():
        if part.sub_folders:
            raise UserError(
                f"{printable(part.folder)} is the split {split} and has splits itself: remove one level."
            )
    names = natural_order({name for part in found.values() for name in part.class_names or ()})
    splits = {
        split: [
            (path, None if label is None else names.index((part.class_names or ())[label]))
            for path, label in part.splits["train"]
        ]
        for split, part in found.items()
    }
    return PictureFolder(
        folder,
        class_names=tuple(names) or None,
        splits=splits,
        sub_folders={split: part.folder for split, part in found.items()},
        problems=[problem for part in found.values() for problem in part.problems],
    )
