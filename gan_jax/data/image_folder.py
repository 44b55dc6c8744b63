"""A folder of pictures as a data set: any sizes and colour modes in, one size and colour mode out."""

import hashlib
import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from gan_jax.data.builder import LocalBuilder
from gan_jax.data.picture_files import find_pictures
from gan_jax.data.spec import Field
from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded

Crop = Literal["center", "none"]
Filter = Literal["lanczos", "bicubic", "bilinear", "hamming", "box", "nearest"]

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_AT_A_TIME = 64  # pictures in work at once


@dataclass(frozen=True)
class ImageFolderOptions:
    """How the pictures are read.

    Attributes:
        folder: the pictures, or one sub-folder of pictures per class (classes in the order of their names).
        height: of every picture of the set, in pixels.
        width: likewise; 0 is the same as the height.
        crop: "center": shrink or enlarge until the picture covers height x width, then cut off what stands
            over, evenly. "none": stretch to height x width.
        filter: Pillow's resampling filter.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA). With 1 and 3 what is transparent becomes white.
    """

    folder: str = ""
    height: int = 64
    width: int = 0
    crop: Crop = "center"
    filter: Filter = "lanczos"
    channels: int = 3

    def __post_init__(self) -> None:
        if not self.folder:
            raise UserError(
                "image_folder: no folder is given: set --config.data.folder to one with pictures."
            )
        if self.height < 1 or self.width < 0:
            raise UserError(
                f"image_folder: pictures of height {self.height} and width {self.width}; the height must be "
                "at least 1, and the width at least 1 or 0 for a square."
            )
        for name, choices in (
            ("crop", get_args(Crop)),
            ("filter", get_args(Filter)),
            ("channels", (1, 3, 4)),
        ):
            if (value := getattr(self, name)) not in choices:
                listed = ", ".join(str(choice) for choice in choices)
                raise UserError(f"image_folder: {name} is {value!r}; choose one of {listed}.")


class ImageFolder(LocalBuilder):
    """The builder. Options and a digest of all files make its name: a changed folder is another set."""

    OPTIONS = ImageFolderOptions
    options: ImageFolderOptions

    def __init__(self, options: ImageFolderOptions, *, data_dir: Path) -> None:
        self._folder = expanded(options.folder).absolute()
        self._pictures = find_pictures(self._folder)
        self._pictures.check()
        self._digest = _digest(self._folder, self._pictures.paths)
        super().__init__(options, data_dir=data_dir)

    @property
    def _width(self) -> int:
        return self.options.width or self.options.height

    def config_name(self) -> str:
        # Without the place of the folder: the digest says what is in it, and a moved folder is the same set.
        text = f"{self.options.crop} {self.options.filter} {self._digest}"
        return f"{self.options.height}x{self._width}x{self.options.channels}_" + _sha256(text.encode())[:16]

    def content_digest(self) -> str:
        return self._digest

    def fields(self) -> dict[str, Field]:
        return {"image": Field((self.options.height, self._width, self.options.channels))}

    def class_names(self) -> tuple[str, ...] | None:
        return self._pictures.class_names

    def splits(self) -> tuple[str, ...]:
        return tuple(self._pictures.splits)

    def num_examples(self, split: str) -> int:
        return len(self._pictures.splits[split])

    def records(self, split: str) -> Iterator[dict[str, Any]]:
        files = self._pictures.splits[split]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(files), _AT_A_TIME):
                part = files[start : start + _AT_A_TIME]
                images = pool.map(self._read, (path for path, _ in part))
                for image, (_, label) in zip(images, part, strict=True):
                    yield {"image": image} if label is None else {"image": image, "label": label}

    def _read(self, path: Path) -> np.ndarray:
        try:
            with Image.open(path) as image:
                return fit(image, self.options.height, self._width, self.options)
        except Exception as error:  # Pillow's decoders raise many kinds
            raise UserError(f"The picture {path} cannot be decoded ({error}): mend or remove it.") from error


def fit(image: Image.Image, height: int, width: int, options: ImageFolderOptions) -> np.ndarray:
    """A picture of any size and mode, upright as its EXIF tag says, as uint8 [height, width, channels]."""
    image = _convert(ImageOps.exif_transpose(image), options.channels)
    resample = Image.Resampling[options.filter.upper()]
    if options.crop == "center":
        image = ImageOps.fit(image, (width, height), resample)
    else:
        image = image.resize((width, height), resample)
    return np.asarray(image).reshape(height, width, options.channels)


def _digest(folder: Path, paths: list[Path]) -> str:
    """sha256 over the name and the content of every file."""
    whole = hashlib.sha256()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        contents = itertools.chain.from_iterable(
            pool.map(lambda path: _sha256(path.read_bytes()), paths[start : start + _AT_A_TIME])
            for start in range(0, len(paths), _AT_A_TIME)
        )
        bar = tqdm(contents, f"checking {folder.name}", len(paths), unit=" files", leave=False, disable=None)
        for path, content in zip(paths, bar, strict=True):
            whole.update(os.fsencode(f"{path.relative_to(folder).as_posix()}\0{content}\n"))
    return whole.hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _convert(image: Image.Image, channels: int) -> Image.Image:
    """The picture as 8-bit grey, RGB or RGBA; for grey and RGB laid on white."""
    if image.mode.startswith("I"):
        # 16-bit grey; Pillow's own conversion to 8 bits cuts off everything above 255.
        deep = np.asarray(image).astype(np.int64)
        if deep.min() < 0 or deep.max() > 65535:
            raise ValueError("its values are not of 16 bits")
        image = Image.fromarray(np.rint(deep / 257).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers of unknown range")
    if channels < 4 and image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(_MODES[channels])
