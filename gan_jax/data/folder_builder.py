"""What the data sets that are made of a folder of pictures have in common."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from gan_jax.data.builder import DEEP_RANGE, LEFT_OUT, LocalBuilder
from gan_jax.data.decoding import MAX_MEGAPIXELS, Reading
from gan_jax.data.examination import Examination, examine, folder_digest, without_bad
from gan_jax.data.picture_files import PictureFolder
from gan_jax.data.resizing import check_choice
from gan_jax.utils.errors import UserError

OPTION = "data."  # what messages put before an option's name
REMEDY = f"Mend or remove them, or leave them out with {OPTION}skip_bad=True"


@dataclass(frozen=True)
class FolderOptions:
    """Where the pictures are, and how their files are read.

    Attributes:
        folder: the pictures.
        value_range: (low, high): the values in the files that become black and white, what is beyond is
            clipped. (): 0 and 255; of files of more than 8 bits what their values show, see `examine`.
        skip_bad: leave out pictures that cannot be used, and record which, instead of refusing the folder.
        max_megapixels: a larger picture cannot be used: it may be a few bytes that take all memory.
    """

    NAME: ClassVar[str]  # of the data set

    folder: str = ""
    value_range: tuple[float, ...] = ()
    skip_bad: bool = False
    max_megapixels: float = MAX_MEGAPIXELS

    def __post_init__(self) -> None:
        if not self.folder:
            raise UserError(f"{self.NAME}: no folder is given: set data.folder to one with pictures.")
        check_choice(self.NAME, "skip_bad", self.skip_bad, (False, True))
        self.reading(3)

    def reading(self, channels: int) -> Reading:
        """The options of decoding; a UserError if they will not do."""
        try:
            return Reading(channels, tuple(self.value_range), self.max_megapixels)
        except ValueError as error:
            raise UserError(f"{self.NAME}: {error}") from error


class FolderBuilder(LocalBuilder):
    """The builder. Options and a digest of all files make its name: a changed folder is another set.

    A subclass finds its pictures and hands them to `__init__`.
    """

    options: FolderOptions

    def __init__(
        self, options: FolderOptions, pictures: PictureFolder, channels: int, *, data_dir: Path
    ) -> None:
        self._pictures = pictures
        self._channels = channels
        if pictures.problems:
            raise examine(pictures, options.reading(channels), OPTION).complaint(REMEDY)
        self._digest = folder_digest(pictures)
        super().__init__(options, data_dir=data_dir)

    def content_digest(self) -> str:
        return self._digest

    def splits(self) -> tuple[str, ...]:
        return tuple(self._pictures.splits)

    def collect(self, source: Path | None) -> None:
        """Looks at all files before the first is read."""
        options = self.options
        self._look = examine(self._pictures, options.reading(self._channels), OPTION, decode=options.skip_bad)
        self.judge(self._look)
        if self._look.problems or (self._look.bad and not options.skip_bad):
            raise self._look.complaint(REMEDY)
        if self._look.bad:
            self._pictures = without_bad(self._look)
            self.info.metadata[LEFT_OUT] = self._look.bad_names()
        if self._look.reading.deep_range:
            self.info.metadata[DEEP_RANGE] = list(self._look.reading.deep_range)
        self._look.warn()

    def judge(self, look: Examination) -> None:
        """Adds to the bad pictures those that this data set cannot use, by their headers."""

    def name_of(self, size: str, *meant: object) -> str:
        """A name of the configuration: of these options, those of reading, and the content.

        Without the place of the folder: the digest says what is in it, and a moved folder is the same set.
        """
        options = self.options
        text = " ".join(map(str, (*meant, self._digest)))
        if options.value_range or options.skip_bad:
            text += f" {tuple(options.value_range)} {options.skip_bad} {options.max_megapixels}"
        return f"{size}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
