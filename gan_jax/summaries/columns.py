"""Several pictures of each example beside each other, in named columns: source, what is made, truth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_jax.summaries.pictures import PAD, grid

_GAP = 3 * PAD  # between examples
_COMFORTABLE = 800  # pixels, of the longer side of a picture: there is more to compare than in a plain grid
_PLACES = {"source": 0, "image": 1, "made": 1, "truth": 3}  # of kinds; others are at 2
MOST_KINDS = 4  # as a rule: source, made, cycle, truth


def in_order(kinds: Iterable[str]) -> list[str]:
    """Kinds of images as they stand beside each other: the source first, what is made, others, the truth."""
    return sorted(kinds, key=lambda kind: (_PLACES.get(kind, 2), kind))


def strips(kinds: Mapping[str, np.ndarray]) -> np.ndarray:
    """The pictures of each example beside each other, white between them.

    Args:
        kinds: uint8 [N, h, w, C] each; smaller ones are enlarged to the height of the highest, and where
            some have colours, or an alpha, all get them.

    Returns:
        uint8 [N, H, W, C].
    """
    ordered = [kinds[kind] for kind in in_order(kinds)]
    height, channels = (max(images.shape[axis] for images in ordered) for axis in (1, 3))
    parts: list[np.ndarray] = []
    for images in ordered:
        part = _with_channels(_of_height(images, height), channels)
        parts += [np.full((*part.shape[:2], PAD, channels), 255, np.uint8), part]
    return np.concatenate(parts[1:], axis=2)


def strips_picture(
    kinds: Mapping[str, np.ndarray], columns: int | None = None, scale: int | None = None
) -> tuple[np.ndarray, list[str]]:
    """A picture of examples, `columns` of them beside each other, with the names of its columns.

    Args:
        kinds: as `strips` takes them.
        columns: by default so many that the picture is as near to a square as can be.
        scale: how many times larger; None: comfortable to look at.

    Returns:
        uint8 [h, w, C], and a name for each of the columns of pictures.
    """
    count = len(next(iter(kinds.values())))
    columns = min(columns or examples_beside(count, len(kinds)), count)
    images = strips(kinds)
    sides = (-(-count // columns) * (images.shape[1] + _GAP), columns * (images.shape[2] + _GAP))
    scale = scale or max(1, round(_COMFORTABLE / max(sides)))
    return grid(images, columns, _GAP, scale), in_order(kinds) * columns


def examples_beside(count: int, kinds: int) -> int:
    """Of `count` examples with so many pictures each, how many stand beside each other."""
    return max(1, round(math.sqrt(count / kinds)))


def with_column_names(picture: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """A picture of columns of one width with their names on white above them.

    Args:
        picture: uint8 [h, w, C] with C = 1, 3 or 4.
        names: from left to right; none leave the picture as it is.

    Returns:
        uint8 [h', w, C].
    """
    if not names:
        return picture
    wide = picture.shape[1] / len(names)
    fonts = [ImageFont.load_default(size=size) for size in range(16, 7, -1)]
    fitting = (font for font in fonts if max(map(font.getlength, names)) <= wide - 2)
    font = next(fitting, fonts[-1])
    margin = Image.new("L", (picture.shape[1], 24), "white")
    drawn = ImageDraw.Draw(margin)
    for column, name in enumerate(names):
        drawn.text((wide * (column + 0.5), 12), name, fill="black", font=font, anchor="mm")
    text = np.repeat(np.asarray(margin)[..., None], picture.shape[2], axis=2)
    if picture.shape[2] == 4:
        text[..., 3] = 255
    return np.concatenate([text, picture])


def _of_height(images: np.ndarray, height: int) -> np.ndarray:
    """Images [N, h, w, C] enlarged to this height, by the nearest neighbour."""
    if images.shape[1] == height:
        return images
    width = max(1, round(images.shape[2] * height / images.shape[1]))
    rows, columns = (
        (np.arange(new) * 2 + 1) * old // (2 * new)
        for new, old in ((height, images.shape[1]), (width, images.shape[2]))
    )
    return images[:, rows][:, :, columns]


def _with_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Images of 1, 3 or 4 channels with at least as many: grey in colours, opaque."""
    if images.shape[-1] == 1 and channels > 1:
        images = images.repeat(3, axis=-1)
    if images.shape[-1] == 3 and channels == 4:
        return np.concatenate([images, np.full_like(images[..., :1], 255)], axis=-1)
    return images
