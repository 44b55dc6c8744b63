"""Pictures: grids of images, PNG files."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from gan_jax.data.codecs import Codec
from gan_jax.summaries.point_pictures import PICTURED_POINTS, points_picture
from gan_jax.utils import files
from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded

PICTURED = 64  # images in a grid
_NAME_LENGTH = 24  # letters of a row's name
_COMFORTABLE = 448  # pixels: a smaller grid's images are enlarged until its longer side comes near this
PAD = 2  # pixels between the images of a grid
MOST_PIXELS = 178_956_970  # of a picture: Pillow and others take a larger one for an attack
# By a file's ending: Pillow's name of the format, and how it is written.
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"lossless": True}),
}


def examples_picture(examples: np.ndarray, codec: Codec, columns: int | None = None) -> np.ndarray:
    """A picture of examples: each one's own, laid out by `grid`, or all of them as `points_picture` draws.

    Args:
        examples: float32 [N, H, W, C], decoded.
        columns: pictures per row.

    Returns:
        uint8 [h, w, C] with C = 1, 3 or 4.
    """
    if codec.pictured:
        return grid(codec.picture(examples), columns)
    return points_picture(examples, codec.density)


def pictured_examples(codec: Codec) -> int:
    """How many examples a picture of a run shows."""
    return PICTURED if codec.pictured else PICTURED_POINTS


def grid(
    images: np.ndarray, columns: int | None = None, pad: int = PAD, scale: int | None = None
) -> np.ndarray:
    """Lays pictures out row by row, white between them.

    Small images are enlarged by a whole number (nearest neighbour), so that 64 of 28 x 28 are
    comfortable to look at.

    Args:
        images: uint8 [N, H, W, C], N >= 1.
        columns: images per row; by default the grid is as near to a square as can be.
        pad: pixels between images, before enlarging.
        scale: how many times larger; None: until the longer side comes near 448 pixels.

    Returns:
        uint8 [h, w, C].
    """
    if images.dtype != np.uint8 or images.ndim != 4 or not len(images):
        raise ValueError(
            f"a grid is made of images uint8 [N, H, W, C] with N >= 1, not {images.dtype} {images.shape}"
        )
    n, height, width, channels = images.shape
    cell_h, cell_w = height + pad, width + pad
    rows, columns, scale = layout(n, cell_h, cell_w, columns, scale)
    cells = np.full((rows * columns, cell_h, cell_w, channels), 255, np.uint8)
    cells[:n, :height, :width] = images
    board = cells.reshape(rows, columns, cell_h, cell_w, channels).swapaxes(1, 2)
    board = board.reshape(rows * cell_h, columns * cell_w, channels)[
        : rows * cell_h - pad, : columns * cell_w - pad
    ]
    return board.repeat(scale, axis=0).repeat(scale, axis=1)


def layout(
    count: int, height: int, width: int, columns: int | None = None, scale: int | None = None
) -> tuple[int, int, int]:
    """Rows, columns and scale of a `grid` of `count` cells, height x width pixels each.

    Raises:
        UserError: it would be a picture that is too large to be looked at.
    """
    columns = min(columns or math.ceil(math.sqrt(count)), count)
    rows = math.ceil(count / columns)
    scale = scale or max(1, round(_COMFORTABLE / max(rows * height, columns * width)))
    pixels = rows * height * columns * width * scale**2
    if pixels > MOST_PIXELS:
        raise UserError(
            f"a picture of {count} of {scale}-fold size would have {pixels / 1e6:,.0f} million pixels, and "
            f"programs open at most {MOST_PIXELS / 1e6:,.0f}: show fewer, or write each to a file of its own"
        )
    return rows, columns, scale


def with_row_names(picture: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """A picture of rows of one height with their names on white to the left of them.

    Args:
        picture: uint8 [h, w, C] with C = 1, 3 or 4.
        names: from the first row to the last; none leave the picture as it is.

    Returns:
        uint8 [h, w', C].
    """
    if not names:
        return picture
    height = picture.shape[0] / len(names)
    font = ImageFont.load_default(size=max(8, min(16, int(height) - 2)))
    shown = [name if len(name) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH - 1]}…" for name in names]
    wide = math.ceil(max(font.getlength(name) for name in shown)) + 12
    margin = Image.new("L", (wide, picture.shape[0]), "white")
    drawn = ImageDraw.Draw(margin)
    for row, name in enumerate(shown):
        drawn.text((wide - 6, height * (row + 0.5)), name, fill="black", font=font, anchor="rm")
    text = np.repeat(np.asarray(margin)[..., None], picture.shape[2], axis=2)
    if picture.shape[2] == 4:
        text[..., 3] = 255
    return np.concatenate([text, picture], axis=1)


def encode_png(image: np.ndarray, texts: Mapping[str, str] | None = None) -> bytes:
    """The PNG file of a picture, uint8 [H, W, C] with C = 1, 3 or 4.

    Args:
        texts: what else is written into it, by keyword.
    """
    kept = PngImagePlugin.PngInfo()
    for keyword, text in (texts or {}).items():
        kept.add_text(keyword, text)
    return _encoded(_opened(image), "PNG", pnginfo=kept)


def _opened(image: np.ndarray) -> Image.Image:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] not in (1, 3, 4):
        raise ValueError(f"a picture is uint8 [H, W, 1, 3 or 4], not {image.dtype} {list(image.shape)}")
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def _encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """The file of a picture in one of Pillow's formats."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def save_picture(path: Path | str, image: np.ndarray) -> None:
    """Writes a picture, uint8 [H, W, C] with C = 1, 3 or 4, as its name says, atomically.

    PNG and WebP keep every pixel, JPEG is of quality 95. The folders above are made.

    Raises:
        UserError: a name that no format belongs to, a picture that the format cannot hold; the disk is full
            or the folder cannot be written to.
    """
    path = expanded(path)
    kind, options = FORMATS[files.checked_suffix(path, FORMATS)]
    picture = _opened(image)
    check_format(path, image.shape[-1])
    try:
        content = _encoded(picture, kind, **options)
    except (OSError, ValueError) as error:
        size = f"{picture.width} x {picture.height} pixels"
        raise UserError(f"{path}: {kind} cannot hold a picture of {size} ({error}); choose .png") from error
    files.write_atomically(path, content)


def check_format(path: Path, channels: int) -> None:
    """Raises a UserError if the format of this name does not hold pictures of so many channels."""
    if FORMATS[files.checked_suffix(path, FORMATS)][0] == "JPEG" and channels == 4:
        raise UserError(f"{path}: JPEG has no transparency, and this picture has; choose .png or .webp")


def save_png(path: Path | str, image: np.ndarray) -> None:
    """`save_picture` for what is always a PNG."""
    files.checked_suffix(path, (".png",))
    save_picture(path, image)
