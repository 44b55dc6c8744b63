"""Large pictures in overlapping tiles: where they lie, and how what is made of them is put together.

A tile is wrong near its inner edges, where the network does not see what lies beyond. So of the overlap of
two neighbours only the middle third is blended: each is left out where it is nearer to its own edge than a
third of the overlap. Where that is more than the network sees to each side, the tiles give what the whole
picture gives.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

OVERLAP = 4  # the part of a tile's side that it shares with the next one: a quarter


def tile_starts(length: int, tile: int, multiple: int) -> list[int]:
    """Where the tiles of one axis begin: the first at 0, the last so that it ends at `length`.

    They overlap by a quarter of their length or more, and by one `multiple` at least.

    Args:
        length: of the axis, a multiple of `multiple`.
        tile: length of a tile, a multiple of `multiple`, at least two of them where it is less than `length`.
        multiple: the starts are multiples of this, so that the network's strides fall on the same pixels.
    """
    if length <= tile:
        return [0]
    step = tile - max(tile // OVERLAP // multiple, 1) * multiple
    count = 1 + -(-(length - tile) // step)
    return [(length - tile) * i // ((count - 1) * multiple) * multiple for i in range(count)]


def tile_weights(starts: list[int], tile: int, scale: int = 1) -> list[np.ndarray]:
    """The weights of each tile's pixels along one axis, float32 [tile * scale]: they add up to 1."""
    seams = []
    for before, start in itertools.pairwise(starts):
        overlap = before + tile - start
        seams.append((scale * (start + overlap / 3), scale * overlap / 3))
    weights = []
    for number, start in enumerate(starts):
        places = scale * start + np.arange(scale * tile) + 0.5
        rises = [
            np.clip((places - begin) / wide, 0, 1) for begin, wide in seams[max(0, number - 1) : number + 1]
        ]
        up = rises[0] if number else np.ones_like(places)
        down = rises[-1] if number < len(seams) else np.zeros_like(places)
        weights.append((up - down).astype(np.float32))
    return weights


def in_tiles(
    make: Callable[[np.ndarray], np.ndarray], picture: np.ndarray, tile: int, multiple: int, scale: int = 1
) -> np.ndarray:
    """What `make` makes of a picture [H, W, C], tile by tile: float32 [H * scale, W * scale, C'].

    Args:
        make: a tile [h, w, C] -> float32 [h * scale, w * scale, C'].
        tile: the most that a tile's sides may be; a shorter side of the picture is a tile's too.
        multiple: as in `tile_starts`; H and W are multiples of it.
    """
    height, width = picture.shape[:2]
    sides = min(tile, height), min(tile, width)
    rows, columns = (tile_starts(*axis, multiple) for axis in zip((height, width), sides, strict=True))
    down, across = (tile_weights(*axis, scale) for axis in zip((rows, columns), sides, strict=True))
    whole: np.ndarray | None = None
    for top, vertical in zip(rows, down, strict=True):
        for left, horizontal in zip(columns, across, strict=True):
            made = make(picture[top : top + sides[0], left : left + sides[1]])
            if whole is None:
                whole = np.zeros((height * scale, width * scale, made.shape[-1]), np.float32)
            place = np.s_[scale * top : scale * (top + sides[0]), scale * left : scale * (left + sides[1])]
            whole[place] += vertical[:, None, None] * horizontal[:, None] * made
    assert whole is not None
    return whole
