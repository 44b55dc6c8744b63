"""A folder of pictures as a data set: any sizes and colour modes in, one size and colour mode out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.data.decoding import decoded
from gan_jax.data.examination import Examination, mark_too_small, read_all, warn_if_dark
from gan_jax.data.folder_builder import REMEDY, FolderBuilder, FolderOptions
from gan_jax.data.picture_files import find_pictures
from gan_jax.data.resizing import Crop, Filter, Resizing, check_choice, check_resizing
from gan_jax.data.spec import Field
from gan_jax.utils.paths import expanded


@dataclass(frozen=True)
class ImageFolderOptions(FolderOptions):
    """How the pictures are read; `folder` has them directly in it; in one sub-folder per class; or in train,
    val and test, either way. See `picture_files.find_pictures`.

    Attributes:
        height: of every picture of the set, in pixels.
        width: likewise; 0 is the same as the height.
        crop: "center", "none" or "cut"; see `resizing.Resizing`.
        filter: Pillow's resampling filter.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA). With 1 and 3 what is transparent becomes white.
    """

    NAME = "image_folder"

    height: int = 64
    width: int = 0
    crop: Crop = "center"
    filter: Filter = "lanczos"
    channels: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_resizing(self.NAME, self.height, self.width, self.crop, self.filter)
        check_choice(self.NAME, "channels", self.channels, (1, 3, 4))

    @property
    def resizing(self) -> Resizing:
        """To the size of the set."""
        return Resizing(self.height, self.width or self.height, self.crop, self.filter)


class ImageFolder(FolderBuilder):
    """The builder."""

    OPTIONS = ImageFolderOptions
    options: ImageFolderOptions

    def __init__(self, options: ImageFolderOptions, *, data_dir: Path) -> None:
        found = find_pictures(expanded(options.folder).absolute())
        super().__init__(options, found, options.channels, data_dir=data_dir)

    def config_name(self) -> str:
        options = self.options
        return self.name_of(f"{options.resizing}x{options.channels}", options.crop, options.filter)

    def fields(self) -> dict[str, Field]:
        size = self.options.resizing
        return {"image": Field((size.height, size.width, self.options.channels))}

    def class_names(self) -> tuple[str, ...] | None:
        return self._pictures.class_names

    def judge(self, look: Examination) -> None:
        mark_too_small(look, self.options.resizing)

    def num_examples(self, split: str) -> int:
        return len(self._pictures.splits[split])

    def records(self, split: str) -> Iterator[dict[str, Any]]:
        files, brightest = self._pictures.splits[split], 0
        images = read_all(self._look, self._read, [path for path, _ in files], REMEDY)
        for (_, image), (_, label) in zip(images, files, strict=True):
            brightest = max(brightest, int(image[..., :3].max()))
            yield {"image": image} if label is None else {"image": image, "label": label}
        warn_if_dark(self._look, brightest)

    def _read(self, path: Path) -> np.ndarray:
        with decoded(path, self._look.reading) as image:
            return self.options.resizing(image)
