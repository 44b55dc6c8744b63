"""A folder of pictures as a data set: any sizes and colour modes in, one size and colour mode out."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.data.builder import LEFT_OUT, LocalBuilder
from gan_jax.data.decoding import MAX_MEGAPIXELS, Reading, Unreadable, decoded
from gan_jax.data.examination import Examination, decode_all, digest, examine, in_threads, warn_if_dark
from gan_jax.data.picture_files import PictureFolder, find_pictures
from gan_jax.data.resizing import Crop, Filter, Resizing, check_choice, check_resizing
from gan_jax.data.spec import Field
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import counted, listed, printable
from gan_jax.utils.paths import expanded

_OPTION = "data."  # what messages put before an option's name
_REMEDY = f"Mend or remove them, or leave them out with {_OPTION}skip_bad=True"


@dataclass(frozen=True)
class ImageFolderOptions:
    """How the pictures are read.

    Attributes:
        folder: the pictures: directly in it; in one sub-folder per class; or in train, val and test, either
            way. See `picture_files.find_pictures`.
        height: of every picture of the set, in pixels.
        width: likewise; 0 is the same as the height.
        crop: "center", "none" or "cut"; see `resizing.Resizing`.
        filter: Pillow's resampling filter.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA). With 1 and 3 what is transparent becomes white.
        value_range: (low, high): the values in the files that become black and white, what is beyond is
            clipped. (): 0 and 255; of files of more than 8 bits what their values show, see `examine`.
        skip_bad: leave out pictures that cannot be used, and record which, instead of refusing the folder.
        max_megapixels: a larger picture cannot be used: it may be a few bytes that take all memory.
    """

    folder: str = ""
    height: int = 64
    width: int = 0
    crop: Crop = "center"
    filter: Filter = "lanczos"
    channels: int = 3
    value_range: tuple[float, ...] = ()
    skip_bad: bool = False
    max_megapixels: float = MAX_MEGAPIXELS

    def __post_init__(self) -> None:
        if not self.folder:
            raise UserError("image_folder: no folder is given: set data.folder to one with pictures.")
        check_resizing("image_folder", self.height, self.width, self.crop, self.filter)
        check_choice("image_folder", "channels", self.channels, (1, 3, 4))
        check_choice("image_folder", "skip_bad", self.skip_bad, (False, True))
        self.reading()

    def reading(self) -> Reading:
        """The options of decoding; a UserError if they will not do."""
        try:
            return Reading(self.channels, tuple(self.value_range), self.max_megapixels)
        except ValueError as error:
            raise UserError(f"image_folder: {error}") from error


class ImageFolder(LocalBuilder):
    """The builder. Options and a digest of all files make its name: a changed folder is another set."""

    OPTIONS = ImageFolderOptions
    options: ImageFolderOptions

    def __init__(self, options: ImageFolderOptions, *, data_dir: Path) -> None:
        self._pictures = find_pictures(expanded(options.folder).absolute())
        if self._pictures.problems:
            raise examine(self._pictures, options.reading(), _OPTION).complaint(_REMEDY)
        self._digest = _digest(self._pictures)
        super().__init__(options, data_dir=data_dir)

    @property
    def _resizing(self) -> Resizing:
        options = self.options
        return Resizing(options.height, options.width or options.height, options.crop, options.filter)

    def config_name(self) -> str:
        # Without the place of the folder: the digest says what is in it, and a moved folder is the same set.
        options = self.options
        text = f"{options.crop} {options.filter} {self._digest}"
        if options.value_range or options.skip_bad:
            text += f" {tuple(options.value_range)} {options.skip_bad} {options.max_megapixels}"
        return f"{self._resizing}x{options.channels}_" + _sha256(text.encode())[:16]

    def content_digest(self) -> str:
        return self._digest

    def fields(self) -> dict[str, Field]:
        return {"image": Field((self._resizing.height, self._resizing.width, self.options.channels))}

    def class_names(self) -> tuple[str, ...] | None:
        return self._pictures.class_names

    def splits(self) -> tuple[str, ...]:
        return tuple(self._pictures.splits)

    def collect(self, source: Path | None) -> None:
        """Looks at all files before the first is read."""
        self._look = examine(self._pictures, self.options.reading(), _OPTION, decode=self.options.skip_bad)
        mark_too_small(self._look, self._resizing)
        if self._look.problems or (self._look.bad and not self.options.skip_bad):
            raise self._look.complaint(_REMEDY)
        if self._look.bad:
            self._pictures = _without_bad(self._look)
            self.info.metadata[LEFT_OUT] = self._look.bad_names()
        self._look.warn()

    def num_examples(self, split: str) -> int:
        return len(self._pictures.splits[split])

    def records(self, split: str) -> Iterator[dict[str, Any]]:
        files, brightest = self._pictures.splits[split], 0
        images = in_threads(self._read, [path for path, _ in files])
        for (path, image), (_, label) in zip(images, files, strict=True):
            if isinstance(image, Unreadable):  # its header was intact: now all are decoded before it is said
                self._look.bad[path] = str(image)
                decode_all(self._look)
                raise self._look.complaint(_REMEDY)
            brightest = max(brightest, int(image[..., :3].max()))
            yield {"image": image} if label is None else {"image": image, "label": label}
        warn_if_dark(self._look, brightest)

    def _read(self, path: Path) -> np.ndarray:
        with decoded(path, self._look.reading) as image:
            return self._resizing(image)


def mark_too_small(look: Examination, resizing: Resizing) -> None:
    """Adds to the bad pictures those from which this size cannot be cut."""
    for path, header in look.headers.items():
        if resizing.is_too_small(header.height, header.width):
            look.bad[path] = f"smaller than {resizing}"


def _without_bad(look: Examination) -> PictureFolder:
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


def _digest(pictures: PictureFolder) -> str:
    """sha256 over the name and the content of every file, and over what else says what they mean."""
    whole = hashlib.sha256()
    title = f"reading {printable(pictures.folder.name)}"
    for path, content in in_threads(digest, pictures.paths, title):
        whole.update(os.fsencode(f"{path.relative_to(pictures.folder).as_posix()}\0{content}\n"))
    if pictures.sub_folders or pictures.num_labels:
        labels = {split: [label for _, label in files] for split, files in pictures.splits.items()}
        whole.update(f"{labels} {pictures.class_names}".encode())
    return whole.hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
