"""Which shipped config suits pictures of one's own: by their size, number, colours and classes.

`RULES` are gone through from the top, and the first that fits is taken. Pictures get the side of `SIDES` that
half of them have at least; 64 pixels are what two cores can train in an hour. What has fewer than `FEW`
pictures is augmented, as a discriminator learns them by heart (Karras et al. 2020, arXiv:2006.06676, figure
1). Sub-folders are classes, which the networks are told where there are `OF_A_CLASS` pictures of each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ml_collections
import numpy as np

from gan_jax.config import shipped
from gan_jax.config.components import complete
from gan_jax.config.config_file import Source, run_and_read
from gan_jax.config.overrides import overridden
from gan_jax.data import DATASETS
from gan_jax.data.catalog import ZIP, load, options_of
from gan_jax.data.dataset import Dataset
from gan_jax.data.decoding import Header, Reading, Unreadable, decoded, read_header
from gan_jax.data.examination import examine, in_threads
from gan_jax.data.folder_builder import OPTION, REMEDY
from gan_jax.data.picture_files import find_pictures
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import counted, printable
from gan_jax.utils.paths import expanded

SIDES = (16, 28, 32, 64)  # pixels
FEW = 20_000  # pictures; the paper's curves with and without augmentation meet between 10,000 and 30,000
VERY_FEW = 100
OF_A_CLASS = 10  # pictures in a class, on average
_LOOKED_AT = 1_000  # pictures whose headers are read
_DECODED = 8  # of which it is seen whether they are grey
_NEARLY = 3  # of 255: so much may the channels of a grey picture differ after JPEG
_SIDES = {"traina", "trainb"}  # sub-folders that are no classes
_FOLDER = "image_folder"


@dataclass(frozen=True)
class Pictures:
    """What is known of pictures before a config is chosen.

    Attributes:
        name: what they are called in messages.
        count: how many are trained on.
        side: the shorter one, of the middle one of the pictures, in pixels.
        is_grey: all that were looked at.
        classes: 0 without any.
        changes: the fields of a config that choose these data, but for the size of pictures in files.
        can_be_resized: whether they are files.
    """

    name: str
    count: int
    side: int
    is_grey: bool
    classes: int
    changes: Mapping[str, Any] = field(default_factory=dict)
    can_be_resized: bool = False

    @property
    def are_few(self) -> bool:
        return self.count < FEW

    @property
    def have_classes(self) -> bool:
        """So many in each that a network can be told them."""
        return self.classes > 1 and self.count >= OF_A_CLASS * self.classes

    @property
    def own_side(self) -> int:
        """The side with which they are trained on."""
        return max([SIDES[0], *(s for s in SIDES if s <= self.side)]) if self.can_be_resized else self.side

    def __str__(self) -> str:
        """In words."""
        size = f"{self.side} pixels high or wide"
        if self.can_be_resized:
            size = f"half of them at least {self.side} pixels high and wide"
        classes = f"in {self.classes} class{'es' * (self.classes > 1)}" if self.classes else ""
        parts = (
            f"{counted(self.count, 'picture')} {'in grey' if self.is_grey else 'in colour'}",
            size,
            classes,
        )
        return f"{self.name}: {', '.join(part for part in parts if part)}"


@dataclass(frozen=True)
class Rule:
    """A config, for which pictures it is, and why.

    Attributes:
        config: its name.
        fits: whether it is for these pictures.
        why: completes "it is ...".
        changes: of its fields.
        by_class: fields that tell the networks the classes, where the config does not.
    """

    config: str
    fits: Callable[[Pictures], bool]
    why: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    by_class: Mapping[str, Any] = field(default_factory=dict)


_ADA = {"augment.name": "ada", "augment.adjust_images": 100_000}
_STYLEGAN2_BY_CLASS = {"generator.condition": "auto", "discriminator.condition": "auto"}
RULES = (
    Rule(
        "stylegan2_ada_openmoji",
        lambda pictures: pictures.own_side > 32 and pictures.are_few,
        f"StyleGAN2 with ADA, since a discriminator learns fewer than {FEW:,} pictures by heart",
        by_class=_STYLEGAN2_BY_CLASS,
    ),
    Rule(
        "stylegan2_ada_openmoji",
        lambda pictures: pictures.own_side > 32,
        f"StyleGAN2, without ADA, since there are at least {FEW:,} pictures",
        {"augment.name": "none"},
        by_class=_STYLEGAN2_BY_CLASS,
    ),
    Rule(
        "stylegan2_fashion_mnist",
        lambda pictures: pictures.are_few,
        f"StyleGAN2 for small pictures, with ADA, since there are fewer than {FEW:,}",
        _ADA,
        by_class=_STYLEGAN2_BY_CLASS,
    ),
    Rule(
        "projection_fashion_mnist",
        lambda pictures: pictures.have_classes,
        "a DCGAN for small pictures, whose networks are told the classes",
    ),
    Rule(
        "dcgan_fashion_mnist",
        lambda pictures: pictures.is_grey,
        "a DCGAN for many small grey pictures",
    ),
    Rule(
        "stylegan2_fashion_mnist",
        lambda pictures: True,
        "StyleGAN2 for many small pictures in colour",
    ),
)


@dataclass(frozen=True)
class Chosen:
    """A config for pictures.

    Attributes:
        config: complete.
        source: that a run of it keeps.
        said: which it is and why, in two lines.
    """

    config: ml_collections.ConfigDict
    source: Source | None
    said: str


def config_for(pictures: Pictures) -> Chosen:
    """The config that suits these pictures, with them as its data."""
    rule = next(rule for rule in RULES if rule.fits(pictures))
    changes = {**rule.changes, **pictures.changes}
    if pictures.have_classes:
        changes |= rule.by_class
    if pictures.can_be_resized:
        changes["data.height"] = pictures.own_side
    config, source = run_and_read(rule.config)
    if pictures.count < config.batch_size:
        changes["batch_size"] = 2 ** int(math.log2(pictures.count))
    config = overridden(config, changes, rule.config)
    side = f" at {pictures.own_side}x{pictures.own_side}" if pictures.can_be_resized else ""
    told = " by class" if pictures.have_classes else ""
    said = [f"config {rule.config}{side}{told}: {rule.why}", shipped.read(rule.config).time]
    if config.data.flip:
        said.append("half of them mirrored, unless data.flip=False")
    if pictures.count < VERY_FEW:
        said.append(f"with fewer than {VERY_FEW} expect little that is new")
    return Chosen(config, source, f"{pictures}\n{'; '.join(filter(None, said))}\n")


def pictures_of(given: str | Path) -> Pictures:
    """What is known of a folder of pictures, or of a data set by its name, before a config is chosen.

    Raises:
        UserError: neither; the folder cannot be used; examples that are no single pictures.
    """
    if not is_folder(given):
        try:
            return pictures_in_set(load(str(given)), {"data.name": str(given)})
        except UserError as error:
            if given in DATASETS:
                raise
            raise UserError(f"{given} is no folder, and no data set: {error}") from None
    folder = expanded(given)
    if folder.is_dir() and {path.name.lower() for path in folder.iterdir()} >= _SIDES:
        raise UserError(
            f"{printable(folder)} has two sides, trainA and trainB, for a method that translates between "
            "them: give the config, such as cyclegan_emoji, too"
        )
    return _pictures_in_folder(folder)


def pictures_in_set(dataset: Dataset, changes: Mapping[str, Any]) -> Pictures:
    """What is known of a data set.

    Args:
        changes: the fields of a config that choose it.

    Raises:
        UserError: its examples are no pictures, or there is more than one field of them.
    """
    if not dataset.fields["image"].codec.is_image or len(dataset.fields) > 1:
        raise UserError(
            f"{dataset.name} are no single pictures, for which a config can be chosen: choose one yourself; "
            "gan-jax configs lists them"
        )
    height, width, channels = dataset.image_shape
    return Pictures(
        dataset.name, len(dataset), min(height, width), channels == 1, dataset.num_classes or 0, changes
    )


def on_data(config: ml_collections.ConfigDict, given: str | Path) -> ml_collections.ConfigDict:
    """A copy of a config, complete, on a folder of pictures, or on a data set by its name.

    Raises:
        UserError: the folder cannot be used.
    """
    return overridden(config, choosing(given, complete(config)), "the data")


def choosing(given: str | Path, config: ml_collections.ConfigDict) -> dict[str, Any]:
    """The fields of this config that choose a folder of pictures, or a data set by its name.

    A data set of the config's that reads a folder itself keeps its name, as `photos` and `unpaired` do.
    Otherwise pictures in files are grey where all of them are.

    Raises:
        UserError: the folder cannot be used.
    """
    if not is_folder(given):
        return {"data.name": str(given)}
    name = config.data.get("name", "")
    if name != _FOLDER and "folder" in options_of(name):
        return {"data.folder": str(given)}
    return dict(_pictures_in_folder(expanded(given)).changes)


def is_folder(given: str | Path) -> bool:
    """Whether a folder is meant: a path, or the name of one that is there and of no data set."""
    if isinstance(given, Path) or "/" in given:
        return True
    return given not in (*DATASETS, ZIP) and expanded(given).is_dir()


def _pictures_in_folder(folder: Path) -> Pictures:
    found = find_pictures(folder)
    if found.problems:
        raise examine(found, Reading(), OPTION).complaint(REMEDY)
    files = [path for path, _ in found.splits.get("train") or found.splits[next(iter(found.splits))]]
    some = files[:: math.ceil(len(files) / _LOOKED_AT)]
    headers = {path: seen for path, seen in in_threads(read_header, some) if isinstance(seen, Header)}
    if not headers:
        raise examine(found, Reading(), OPTION).complaint(REMEDY)
    grey = _are_grey(headers)
    return Pictures(
        printable(folder),
        count=len(files),
        side=int(np.median([min(header.height, header.width) for header in headers.values()])),
        is_grey=grey,
        classes=len(found.class_names or ()),
        changes={"data.name": _FOLDER, "data.folder": str(folder), "data.channels": 1 if grey else 3},
        can_be_resized=True,
    )


def _are_grey(headers: Mapping[Path, Header]) -> bool:
    """Whether all pictures are, as far as a look at some shows it."""
    coloured = [path for path, header in headers.items() if header.channels == 3]
    return all(map(_is_grey, coloured[:: max(1, len(coloured) // _DECODED)]))


def _is_grey(path: Path) -> bool:
    """Of a picture with three channels."""
    try:
        with decoded(path, Reading(3)) as image:
            pixels = np.asarray(image).astype(np.int16)
    except Unreadable:  # which is said when the data are prepared
        return True
    return bool(np.ptp(pixels, axis=2).max() <= _NEARLY)
