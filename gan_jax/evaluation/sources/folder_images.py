"""A folder of pictures as it is: unlike in the data set image_folder, nothing is resized or cropped.

Resampling can change a Frechet distance by more than methods differ (Parmar et al. 2022, "On Aliased Resizing
and Surprising Subtleties in GAN Evaluation", arXiv:2104.11222), so pictures of several sizes are refused.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from absl import logging
from PIL import Image, ImageOps
from tqdm import tqdm

from gan_jax.data.picture_files import find_pictures
from gan_jax.evaluation.sources.image_source import Batch, ImageSource, spelled
from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded

# Pillow's modes that 8-bit grey or RGB can be made of without a loss.
_CHANNELS = {"1": 1, "L": 1, "LA": 1, "P": 3, "PA": 3, "RGB": 3, "RGBA": 3}
_COLOURS = {1: "grey", 3: "colour"}
_AT_A_TIME = 64  # files read at once while the folder is checked


@dataclass(frozen=True)
class _Header:
    """What a file says of its picture before it is decoded."""

    digest: bytes  # of the whole file
    width: int
    height: int
    channels: int
    transparent: bool

    def __str__(self) -> str:
        return f"{self.height} x {self.width} pixels in {_COLOURS[self.channels]}"


def folder_source(folder: str | Path) -> ImageSource:
    """The pictures of a folder, in the order of their names; with a sub-folder per class, class after class.

    Grey stays grey (1 channel); palettes become RGB. Transparency is laid on white, as the data set
    image_folder does it. A picture is turned as its EXIF tag says. All files are read once to check them and
    for the fingerprint, which depends on their content and order, not on their names and place.

    Raises:
        UserError: no pictures, more than one size or kind of colours, 16 bits or another mode, an animation,
            a file that is no picture; while reading: a damaged file.
    """
    folder = expanded(folder)
    found = find_pictures(folder)
    found.check()
    class_names, files = found.class_names, found.one_split()
    paths = [path for path, _ in files]
    labels = None if class_names is None else np.array([label for _, label in files], np.int32)
    whole = hashlib.sha256(b"" if labels is None else labels.tobytes())
    first, transparent = None, 0
    for path, header in zip(paths, _headers(folder, paths), strict=True):
        first = first or header
        _check_same(paths[0], first, path, header)
        whole.update(header.digest)
        transparent += header.transparent
    if transparent:
        logging.warning("%d pictures in %s may be transparent; they are laid on white", transparent, folder)
    shape = _decode(paths[0]).shape
    return ImageSource(
        name=f"folder {folder.resolve().name}",
        fingerprint=f"{len(paths)} pictures {spelled(shape)} sha256 {whole.hexdigest()}",
        image_shape=(shape[0], shape[1], shape[2]),
        num_classes=None if class_names is None else len(class_names),
        class_names=class_names,
        size=len(paths),
        read=lambda count, batch_size: _read(paths[:count], shape, labels, batch_size),
    )


def _headers(folder: Path, paths: list[Path]) -> Iterator[_Header]:
    """The headers, in order; the files are read by several threads."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        headers = itertools.chain.from_iterable(
            pool.map(_header, paths[start : start + _AT_A_TIME]) for start in range(0, len(paths), _AT_A_TIME)
        )
        yield from tqdm(
            headers, f"checking {folder.name}", len(paths), unit=" files", leave=False, disable=None
        )


def _header(path: Path) -> _Header:
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            _check_kind(path, image)
            return _Header(
                hashlib.sha256(content).digest(),
                *image.size,
                _CHANNELS[image.mode],
                image.has_transparency_data,
            )
    except UserError:
        raise
    except Exception as error:  # Pillow's readers raise many kinds
        raise _unreadable(path, error) from error


def _check_kind(path: Path, image: Image.Image) -> None:
    """Raises a UserError if 8-bit grey or RGB cannot be made of this picture without changing it."""
    # 16-bit colour opens in mode "RGB" and loses its lower bytes; only the decoder's arguments show it.
    if image.mode.startswith("I") or any(";16" in str(tile) for tile in getattr(image, "tile", ())):
        raise UserError(f"the picture {path} has 16 bits a channel: write pictures of 8 bits")
    if image.mode not in _CHANNELS:
        raise UserError(f"the picture {path} is of the mode {image.mode}: write 8-bit grey or RGB pictures")
    if (frames := getattr(image, "n_frames", 1)) > 1:
        raise UserError(f"the picture {path} has {frames} frames: write each as a file")


def _check_same(first: Path, header: _Header, path: Path, other: _Header) -> None:
    if (header.width, header.height, header.channels) == (other.width, other.height, other.channels):
        return
    raise UserError(
        f"the pictures must all have one size and one kind of colours: {first} has {header}, and {path} has "
        f"{other}. They are compared as they are; bring them to one size and kind first"
    )


def _read(
    paths: list[Path], shape: tuple[int, ...], labels: np.ndarray | None, batch_size: int
) -> Iterator[Batch]:
    """Decoded by several threads, one batch ahead of the one that is asked for."""
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        coming = iter(paths)
        decoding = deque(pool.submit(_decode, path) for path in itertools.islice(coming, 2 * batch_size))
        for start in range(0, len(paths), batch_size):
            part = paths[start : start + batch_size]
            images = np.empty((len(part), *shape), np.uint8)
            for number, path in enumerate(part):
                image = decoding.popleft().result()
                if image.shape != shape:
                    raise UserError(
                        f"the picture {path} is {spelled(image.shape)} once turned as its EXIF tag says, and "
                        f"{paths[0]} is {spelled(shape)}: write pictures without that tag"
                    )
                images[number] = image
                decoding.extend(pool.submit(_decode, path) for path in itertools.islice(coming, 1))
            yield images, None if labels is None else labels[start : start + len(part)]
    finally:  # also where the caller wants no more
        pool.shutdown(cancel_futures=True)


def _decode(path: Path) -> np.ndarray:
    """A picture as uint8 [H, W, 1 or 3]."""
    try:
        with Image.open(path) as opened:
            channels = _CHANNELS[opened.mode]
            image = ImageOps.exif_transpose(opened)
            if image.has_transparency_data:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    except Exception as error:  # Pillow's decoders raise many kinds
        raise _unreadable(path, error) from error
    return pixels.reshape(*pixels.shape[:2], channels)


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(f"the picture {path} cannot be decoded ({error}): mend or remove it")
