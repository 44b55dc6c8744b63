"""Sample pictures of several runs in one, with their names."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_jax.utils.errors import UserError
from gan_jax.utils.files import checked_suffix, disk_errors, write_atomically
from gan_jax.utils.paths import expanded

SAMPLES = "samples.png"  # the name that the report looks for

_WIDTH = 1200  # pixels of the whole, at most
_TITLE = 20  # pixels for a title
_GAP = 8  # pixels between pictures
_LETTER = 13  # the font's size in pixels
_FRAME = (200, 200, 200)  # drawn over the pictures' outermost pixels
_UNSEEN = 24  # of 255: a palette may differ by so much


def montage(pictures: Sequence[tuple[str, Path | str]], path: Path | str) -> None:
    """Lays pictures out row by row, each below its title, on white.

    Pictures that are too wide for a total of 1200 pixels are made smaller, never larger.

    Args:
        pictures: titles and PNG files of equal size, at least one.
        path: the PNG file to write, atomically.

    Raises:
        ValueError: no pictures, or pictures of different sizes.
        UserError: a file that cannot be read or is no picture; the disk is full.
    """
    checked_suffix(path, (".png",))
    if not pictures:
        raise ValueError("a montage is made of at least one picture")
    images = [_opened(expanded(source)) for _, source in pictures]
    if len({image.size for image in images}) > 1:
        sizes = ", ".join(sorted({f"{image.width} x {image.height}" for image in images}))
        raise ValueError(f"pictures of a montage must have one size, not {sizes}")
    columns = _columns(len(images))
    width = min(images[0].width, (_WIDTH - (columns - 1) * _GAP) // columns)
    height = max(1, round(images[0].height * width / images[0].width))
    rows = math.ceil(len(images) / columns)
    size = (columns * (width + _GAP) - _GAP, rows * (_TITLE + height + _GAP) - _GAP)
    board = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(board), ImageFont.load_default(_LETTER)
    for index, ((title, _), image) in enumerate(zip(pictures, images, strict=True)):
        left = index % columns * (width + _GAP)
        top = index // columns * (_TITLE + height + _GAP)
        draw.text((left, top + 2), _fitted(title, width, font), fill="black", font=font)
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.LANCZOS)
        board.paste(image, (left, top + _TITLE))
        right, bottom = left + width - 1, top + _TITLE + height - 1
        draw.rectangle((left, top + _TITLE, right, bottom), outline=_FRAME)
    write_atomically(path, _encoded(board))


def _columns(count: int) -> int:
    """As near to a square as can be, at most six."""
    return min(6, math.ceil(math.sqrt(count)))


def _encoded(board: Image.Image) -> bytes:
    """The PNG file: grey or with a palette where that shows no difference, as it is a third of the bytes."""
    pixels = np.asarray(board).astype(int)
    palette = board.quantize(256, dither=Image.Dither.NONE)
    error = np.abs(np.asarray(palette.convert("RGB")).astype(int) - pixels).max()
    buffer = io.BytesIO()
    if (pixels == pixels[..., :1]).all():
        board.convert("L").save(buffer, "PNG", optimize=True)
    else:
        (palette if error <= _UNSEEN else board).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _opened(path: Path) -> Image.Image:
    with disk_errors(f"read {path}"):
        content = path.read_bytes()
    try:
        return Image.open(io.BytesIO(content)).convert("RGB")
    except (OSError, SyntaxError) as error:
        raise UserError(f"{path} is not a picture that can be read: {error}") from error


def _fitted(title: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The title, shortened until it is no wider than the picture."""
    if font.getlength(title) <= width:
        return title
    while title and font.getlength(title + "...") > width:
        title = title[:-1]
    return title + "..."
