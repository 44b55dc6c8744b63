"""One coloured figure on a plain ground, drawn at any resolution from eight whole numbers.

A figure's coverage of a pixel is its exact area there: each figure is held once as a fine stamp in the
form of a summed-area table, where the area of any rectangle is four look-ups.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

SHAPES = ("disc", "square", "triangle", "ring", "plus", "star", "heart", "moon")
COLOURS = ("red", "yellow", "green", "cyan", "blue", "magenta")
BACKGROUNDS = ("ink", "slate", "sand", "paper")
SIZES = ("small", "medium", "large")

# Every picture is given by these factors, each from 0 to its number minus one. The centre is that of a
# cell of the 3x3 grid (column, row), moved a little (shift_x, shift_y; 2 is no shift).
FACTORS: dict[str, int] = {
    "shape": len(SHAPES),
    "colour": len(COLOURS),
    "background": len(BACKGROUNDS),
    "size": len(SIZES),
    "column": 3,
    "row": 3,
    "shift_x": 5,
    "shift_y": 5,
}

# In units of the picture's side. The largest figure at the outermost place leaves a margin of 0.04,
# so the border shows the ground.
_RADII = np.array([0.2, 0.26, 0.33])
_GRID_STEP = 0.1
_SHIFT_STEP = 1 / 64

_COLOUR_RGB = np.array(
    [[225, 45, 55], [250, 205, 30], [45, 170, 80], [60, 200, 230], [50, 80, 220], [215, 60, 200]]
)
_BACKGROUND_RGB = np.array([[18, 20, 32], [88, 96, 112], [222, 200, 164], [246, 244, 238]])
# In grey every figure is lighter than every ground, by at least 48 levels.
_COLOUR_GREY = np.array([[120], [147], [174], [201], [228], [255]])
_BACKGROUND_GREY = np.array([[0], [24], [48], [72]])

_STAMP = 1024  # samples across a stamp
_REACH = 1.05  # a stamp shows -_REACH to _REACH, in radii
_CHUNK = 1024  # pictures drawn at a time


def palette(channels: int) -> tuple[np.ndarray, np.ndarray]:
    """The colours [6, channels] and the backgrounds [4, channels], uint8 values, for 1 or 3 channels."""
    return (_COLOUR_GREY, _BACKGROUND_GREY) if channels == 1 else (_COLOUR_RGB, _BACKGROUND_RGB)


def draw(factors: Mapping[str, np.ndarray], resolution: int, channels: int) -> np.ndarray:
    """Pictures of the given factors.

    Args:
        factors: for each name in FACTORS, integers [N].
        resolution: side in pixels.
        channels: 1 (grey: the colours are luminances) or 3 (RGB).

    Returns:
        uint8 [N, resolution, resolution, channels].
    """
    colours, backgrounds = palette(channels)
    total = len(factors["shape"])
    out = np.empty((total, resolution, resolution, channels), np.uint8)
    for start in range(0, total, _CHUNK):
        part = {name: values[start : start + _CHUNK] for name, values in factors.items()}
        colour = colours[part["colour"]].astype(np.float32)[:, None, None]
        ground = backgrounds[part["background"]].astype(np.float32)[:, None, None]
        mask = coverage(part, resolution)[..., None]
        out[start : start + _CHUNK] = np.rint(ground + mask * (colour - ground))
    return out


def coverage(factors: Mapping[str, np.ndarray], resolution: int) -> np.ndarray:
    """The share of each pixel that the figure covers: float32 [N, resolution, resolution] in [0, 1]."""
    radius = _RADII[factors["size"]]
    rows, columns = (
        _stamp_edges(factors[place], factors[shift], radius, resolution)
        for place, shift in (("row", "shift_y"), ("column", "shift_x"))
    )
    table = _summed_area_tables()
    corner = table[factors["shape"][:, None, None], rows[:, :, None], columns[:, None, :]]
    inside = np.diff(np.diff(corner, axis=1), axis=2)
    samples = np.diff(rows)[:, :, None] * np.diff(columns)[:, None, :]
    return (inside / np.maximum(samples, 1)).astype(np.float32)


def _stamp_edges(cell: np.ndarray, shift: np.ndarray, radius: np.ndarray, resolution: int) -> np.ndarray:
    """The pixels' edges along one axis as positions in the stamp: int [N, resolution + 1]."""
    centre = 0.5 + _GRID_STEP * (cell - 1.0) + _SHIFT_STEP * (shift - 2.0)
    edges = (np.arange(resolution + 1) / resolution - centre[:, None]) / radius[:, None]
    return np.clip(np.rint((edges + _REACH) / (2 * _REACH) * _STAMP), 0, _STAMP).astype(np.int64)


@lru_cache(maxsize=1)
def _summed_area_tables() -> np.ndarray:
    """For each figure the number of stamp samples above and left of each corner, int32 [8, S + 1, S + 1]."""
    line = ((np.arange(_STAMP) + 0.5) / _STAMP * 2 - 1) * _REACH
    table = np.zeros((len(SHAPES), _STAMP + 1, _STAMP + 1), np.int32)
    for number, figure in enumerate(_figures(line[None, :], -line[:, None])):
        table[number, 1:, 1:] = figure.cumsum(0, dtype=np.int32).cumsum(1, dtype=np.int32)
    return table


def _figures(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Which points (x to the right, y upwards, in radii) belong to each of SHAPES: bool masks."""
    distance = np.hypot(x, y)
    heart_x, heart_y = 1.17 * x, 1.17 * y + 0.1
    angle = np.arctan2(x, y)  # from the upper point of the star on
    # A five-pointed star's edge in polar form: a straight line from a point (1) to a notch (0.45).
    part = np.abs((angle / (2 * np.pi / 5) + 0.5) % 1 - 0.5) * (2 * np.pi / 5)
    notch_x, notch_y = 0.45 * np.cos(np.pi / 5), 0.45 * np.sin(np.pi / 5)
    edge = notch_y / (notch_y * np.cos(part) + (1 - notch_x) * np.sin(part))
    return [
        distance <= 0.93,
        np.maximum(np.abs(x), np.abs(y)) <= 0.82,
        (y >= -0.8) & (np.abs(x) <= 0.98 * (0.98 - y) / 1.78),
        (distance <= 0.97) & (distance >= 0.55),
        (np.minimum(np.abs(x), np.abs(y)) <= 0.3) & (np.maximum(np.abs(x), np.abs(y)) <= 0.95),
        distance <= edge,
        (heart_x**2 + heart_y**2 - 1) ** 3 <= heart_x**2 * heart_y**3,
        (distance <= 0.98) & (np.hypot(x - 0.5, y - 0.2) >= 0.72),
    ]
