"""Pictures from files: one way to decode them for training and for scoring, with bounds on what a file takes.

All comes out upright (as the EXIF tag says) in 8 bits a channel. Of an animation the first frame is read,
colour profiles are ignored, and what is transparent becomes white unless four channels are asked for.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import re
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError

from gan_jax.data.picture_files import formats
from gan_jax.utils.errors import UserError

MAX_MEGAPIXELS = 179  # Pillow's own bound; a picture of that size takes about 2 GB while it is decoded
PIXELS_AT_A_TIME = 2**26  # in all threads together, but for a larger picture alone: about 1 GB
_STRIP_PIXELS = 2**20
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
GREY = {"1", "L", "LA", "La", "F"}
_USUAL = {"1", "L", "LA", "P", "PA", "RGB", "RGBA"}
_TEXT_CHUNKS = {b"tEXt", b"zTXt", b"iTXt"}
_TURNING_TEXTS = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")  # may say which side is up
_TEXT_BYTES = 2**10  # of a compressed text that cannot grow beyond Pillow's bound of 1 MiB
_PNG = b"\x89PNG\r\n\x1a\n"
# By EXIF orientation, as in ImageOps.exif_transpose, which is for pictures that Pillow opened.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Unreadable(Exception):
    """Why a file gives no picture; completes "3 pictures ..."."""


@dataclass(frozen=True)
class Reading:
    """How pictures are read.

    Attributes:
        channels: 1 (grey), 3 (RGB) or 4 (RGBA).
        value_range: the values in the files that become 0 and 255, what is beyond is clipped; () for those of
            their type: 0 and 255, 0 and 65535. Alpha is not touched.
        deep_range: likewise for files of more than 8 bits alone, where value_range is ().
        max_megapixels: a larger picture is refused before it is decoded.
    """

    channels: int = 3
    value_range: tuple[float, ...] = ()
    max_megapixels: float = MAX_MEGAPIXELS
    deep_range: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        ends = self.value_range
        if ends and not (len(ends) == 2 and all(map(math.isfinite, ends)) and ends[0] < ends[1]):
            raise ValueError(f"value_range={ends}: it must be two numbers, LOW,HIGH, the first the smaller")
        if not self.max_megapixels > 0:
            raise ValueError(f"max_megapixels={self.max_megapixels}: it must be a positive number")


@dataclass(frozen=True)
class Header:
    """What a file says of its picture before it is decoded; height and width are those of the upright one.

    Attributes:
        channels: that show all of it, but for transparency: 1 or 3.
        is_deep: more than 8 bits a channel, or floats.
        is_transparent: there may be transparent pixels.
        notes: what else is lost when it is read; each completes "3 pictures in FOLDER ...".
    """

    height: int
    width: int
    channels: int
    is_deep: bool
    is_transparent: bool
    notes: tuple[str, ...]


class _Budget:
    """Pixels that several threads may work on together; a picture beyond all of it is worked on alone."""

    def __init__(self, pixels: int) -> None:
        self._pixels = pixels
        self._used = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def of(self, pixels: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + pixels <= self._pixels)
            self._used += pixels
        try:
            yield
        finally:
            with self._changed:
                self._used -= pixels
                self._changed.notify_all()


_BUDGET = _Budget(PIXELS_AT_A_TIME)
_OPENING = threading.Lock()
# Larger than what malloc keeps for its thread once it is freed (glibc: 32 MiB): that would be a picture for
# each thread, whatever the budget says.
Image.core.set_block_size(2**26)


def read_header(path: Path, max_megapixels: float = MAX_MEGAPIXELS) -> Header:
    """What is known of a picture without decoding it.

    Raises:
        Unreadable: no picture, or a too large one.
    """
    with _opened(path, max_megapixels) as image:
        turned = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1) >= 5
        width, height = reversed(image.size) if turned else image.size
        notes = []
        if getattr(image, "is_animated", False) and image.format != "MPO":
            notes.append("with several frames: the first is read")
        if image.mode not in _USUAL and not _is_deep(image):
            notes.append(f"in {image.mode}: made RGB, without colour profiles")
        channels = 1 if image.mode in GREY or image.mode.startswith("I") else 3
        return Header(height, width, channels, _is_deep(image), image.has_transparency_data, tuple(notes))


class Values(NamedTuple):
    """The smallest and the greatest stored value of a picture, and whether it holds integers."""

    low: float
    high: float
    are_whole: bool


def read_values(path: Path, max_megapixels: float = MAX_MEGAPIXELS) -> Values:
    """The values of a picture of more than 8 bits.

    Raises:
        Unreadable: no picture, a too large or a damaged one, or values that are not finite.
    """
    with _opened(path, max_megapixels) as image, _BUDGET.of(image.width * image.height):
        ends = [
            (seen.min(), seen.max(), values.dtype.kind in "iu")
            for _, values in _deep_strips(path, image)
            for seen in [values[..., :3] if values.ndim == 3 else values]
        ]
        image.close()
    low, high = float(min(low for low, _, _ in ends)), float(max(high for _, high, _ in ends))
    if not all(math.isfinite(end) for ends_of_strip in ends for end in ends_of_strip):
        raise Unreadable("with pixels that are not finite")
    return Values(low, high, all(are_whole for _, _, are_whole in ends))


@contextlib.contextmanager
def decoded(path: Path, reading: Reading) -> Iterator[Image.Image]:
    """A picture, upright, in mode L, RGB or RGBA; its memory is counted until the context ends.

    Raises:
        Unreadable: no picture, a too large or a damaged one; without a range also values beyond 16 bits.
    """
    with _opened(path, reading.max_megapixels) as opened, _BUDGET.of(opened.width * opened.height):
        if _is_deep(opened):
            image = _scaled(path, opened, reading)
        else:
            ImageOps.exif_transpose(opened, in_place=True)
            image = converted(opened, reading.channels)
            if reading.value_range:
                ramp = _to_8_bits(np.arange(256), *reading.value_range).tolist()
                colours = min(reading.channels, 3)
                image = image.point(ramp * colours + list(range(256)) * (reading.channels - colours))
        if image is not opened:
            opened.close()
        try:
            yield image
        finally:
            image.close()


def _scaled(path: Path, opened: ImageFile.ImageFile, reading: Reading) -> Image.Image:
    """A picture of more than 8 bits in 8, upright."""
    ends = reading.value_range or reading.deep_range
    ramp = _to_8_bits(np.arange(2**16), *(ends or (0, 2**16 - 1)))
    made = Image.new("L" if not _lower_bytes(opened) else opened.mode, opened.size)
    for top, values in _deep_strips(path, opened):
        if values.dtype.kind in "iu" and values.min() >= 0 and values.max() < 2**16:
            scaled = ramp[values]
        elif ends:
            scaled = _to_8_bits(values, *ends)
        else:
            raise Unreadable("of numbers in an unknown range")
        if values.ndim == 3 and values.shape[2] == 4:
            scaled[..., 3] = _to_8_bits(values[..., 3], 0, 2**16 - 1)
        made.paste(Image.fromarray(scaled), (0, top))
    orientation = opened.getexif().get(ExifTags.Base.Orientation, 1)
    opened.close()
    if orientation in _TURNS:
        made = made.transpose(_TURNS[orientation])
    return converted(made, reading.channels)


def _to_8_bits(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.rint(np.clip((values.astype(np.float64) - low) * (255 / (high - low)), 0, 255)).astype(np.uint8)


def _is_deep(image: ImageFile.ImageFile) -> bool:
    return image.mode == "F" or image.mode.startswith("I") or bool(_lower_bytes(image))


def _lower_bytes(image: ImageFile.ImageFile) -> list[Any]:
    """The tiles of a picture in colours of 16 bits, of which Pillow takes the upper byte, for the lower one.

    Empty where the picture is none of that kind.
    """
    lower = {f"{image.mode};16{order}": f"{image.mode};16{other}" for order, other in ("BL", "LB", "NB")}
    tiles = []
    for tile in image.tile if image.mode in ("RGB", "RGBA") else ():
        first, *rest = (tile.args,) if isinstance(tile.args, str) else tile.args or ("",)
        if first not in lower:
            return []
        tiles.append(tile._replace(args=(lower[first], *rest) if rest else lower[first]))
    return tiles


def _deep_strips(path: Path, image: ImageFile.ImageFile) -> Iterator[tuple[int, np.ndarray]]:
    """The values as they are stored, not turned: strips [h, W] or [h, W, channels] with their first row."""
    lower = _lower_bytes(image)
    with contextlib.ExitStack() as held:
        if lower:
            other = _image(held.enter_context(path.open("rb")))
            held.callback(other.close)
            other.tile = lower
        for top, box in _strips(image):
            values = np.asarray(image.crop(box))
            yield top, values.astype(np.uint16) * 256 + np.asarray(other.crop(box)) if lower else values


def _strips(image: Image.Image) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
    """The boxes that a picture is worked on in, so that copies of all of it take no memory."""
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield top, (0, top, image.width, min(top + rows, image.height))


def converted(image: Image.Image, channels: int) -> Image.Image:
    """An 8-bit picture as grey, RGB or RGBA; for grey and RGB laid on white."""
    mode = _MODES[channels]
    if channels == 4 or not image.has_transparency_data:
        return image if image.mode == mode else image.convert(mode)
    made = Image.new(mode, image.size)
    for top, box in _strips(image):
        strip = image.crop(box).convert("RGBA")
        laid = Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip)
        made.paste(laid.convert(mode), (0, top))
    return made


@contextlib.contextmanager
def _opened(path: Path, max_megapixels: float) -> Iterator[ImageFile.ImageFile]:
    """The file as Pillow opens it; whatever goes wrong in the context becomes an `Unreadable`."""
    try:
        with path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                raise Unreadable("empty")
            image = _image(file)
            if image.width * image.height > max_megapixels * 1e6:
                raise Unreadable(f"larger than {max_megapixels:g} megapixels")
            yield image
    except (Unreadable, UserError):
        raise
    except UnidentifiedImageError:
        raise Unreadable("of no format that is read, or damaged at the beginning") from None
    except MemoryError:
        raise Unreadable("too large for the memory") from None
    except Exception as error:  # Pillow's decoders raise many kinds
        if isinstance(error, OSError) and error.errno is not None:
            raise Unreadable(f"not to be read, {os.strerror(error.errno)}") from error
        raise Unreadable(f"damaged, {_plain(error)}") from error


def _plain(error: Exception) -> str:
    """What a decoder says: one line, without addresses, and without the numbers that differ between files."""
    text = re.sub(r"<[^<>]* at 0x[0-9a-f]+>", "the file", " ".join(str(error).split()))
    return re.sub(r" *\([^()]*[0-9][^()]*\)", "", text)[:200] or type(error).__name__


def _image(file: BinaryIO) -> ImageFile.ImageFile:
    """The picture in an open file, without Pillow's bounds: the size is compared with ours."""
    stream = _without_texts(file)
    with _OPENING:  # the bound is a global of Pillow's
        bound, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(stream, formats=formats())
        finally:
            Image.MAX_IMAGE_PIXELS = bound


def _without_texts(file: BinaryIO) -> BinaryIO:
    """The file; of a PNG whose texts could grow beyond Pillow's bounds, a copy without these.

    Only texts that may say which side is up are kept, whatever they hold.
    """
    if file.read(8) != _PNG:
        file.seek(0)
        return file
    kept, dropped, start = [(0, 8)], False, 8
    texts = 0
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        is_text = kind in _TEXT_CHUNKS and not file.read(25).startswith(_TURNING_TEXTS)
        texts += length if is_text else 0
        if is_text and (length > _TEXT_BYTES or texts > 32 * _TEXT_BYTES):
            dropped = True
        else:
            kept.append((start, length + 12))
        start += length + 12
        file.seek(start)
    file.seek(0)
    if not dropped:
        return file
    copy = io.BytesIO()
    for place, length in kept:
        file.seek(place)
        copy.write(file.read(length))
    copy.seek(0)
    return copy
