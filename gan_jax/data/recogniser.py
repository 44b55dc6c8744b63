"""Which figure a picture shows: reads the factors back from drawn and from generated pictures.

No learning: a picture is compared with the figure at every place and size. So a test, or a study of what
a generator reaches, can count combinations without trusting another network.
"""

import itertools
from functools import lru_cache

import numpy as np

from gan_jax.data.drawing import FACTORS, coverage, palette

_CHUNK = 512  # pictures at a time
_MASK_FACTORS = ("shape", "size", "column", "row", "shift_x", "shift_y")
_SMALLEST_SIDE = 28  # larger pictures are averaged down, but not below this


def recover(images: np.ndarray) -> dict[str, np.ndarray]:
    """The factors that explain each picture best.

    The ground is the median of the border. What differs from it is projected on its main colour, which
    leaves one mask per picture; the figure is the drawn mask with the largest cosine to it; the colour is
    the palette's nearest to the least-squares fit. Where the side has a divisor, larger pictures are averaged
    down to about 32 pixels first.

    Args:
        images: [N, S, S, C] with 1 or 3 channels, uint8 or float in [-1, 1].

    Returns:
        int32 [N] for each name in FACTORS, and "quality", float32 [N]: the share of the picture's deviation
        from the plain ground that the drawing with these factors explains. 1 is a perfect picture; nonsense,
        a blend of two figures, a figure of a wrong colour or an empty picture come near 0.
    """
    side, channels = images.shape[1], images.shape[3]
    if images.ndim != 4 or images.shape[2] != side or channels not in (1, 3):
        raise ValueError(f"expected pictures [N, S, S, 1 or 3], got {images.shape}")
    reduce = max(k for k in range(1, side + 1) if side % k == 0 and (k == 1 or side // k >= _SMALLEST_SIDE))
    parts = []
    for start in range(0, len(images), _CHUNK):
        pixels = images[start : start + _CHUNK].astype(np.float32)
        if images.dtype != np.uint8:
            pixels = (pixels + 1) * 127.5
        blocks = pixels.reshape(-1, side // reduce, reduce, side // reduce, reduce, channels)
        parts.append(_recover(blocks.mean((2, 4))))
    return {name: np.concatenate([part[name] for part in parts]) for name in (*FACTORS, "quality")}


def _recover(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """`recover` for float32 [n, s, s, C] in 0..255."""
    count, side, _, channels = pixels.shape
    colours, backgrounds = (p.astype(np.float32) for p in palette(channels))
    border = np.concatenate([pixels[:, 0], pixels[:, -1], pixels[:, 1:-1, 0], pixels[:, 1:-1, -1]], axis=1)
    ground = np.median(border, axis=1)
    background = _nearest(ground, backgrounds)

    difference = (pixels - ground[:, None, None]).reshape(count, -1, channels)
    # Weighted by its square, so that noise, which points everywhere, hardly turns the direction.
    direction = np.einsum("npc,np->nc", difference, np.square(difference).sum(-1))
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-6)
    mask = np.einsum("npc,nc->np", difference, direction)

    choices, templates, norms = _templates(side)
    best = np.argmax(mask @ (templates / norms[:, None]).T, axis=1)
    fitted = np.einsum("npc,np->nc", difference, templates[best]) / np.square(norms[best])[:, None]
    colour = _nearest(ground + fitted, colours)

    plain = backgrounds[background][:, None]
    drawn = plain + templates[best][..., None] * (colours[colour][:, None] - plain)
    flat = pixels.reshape(count, -1, channels)
    unexplained = np.square(flat - drawn).sum((1, 2))
    quality = 1 - unexplained / np.maximum(np.square(flat - plain).sum((1, 2)), 1.0)
    found = {name: choices[name][best].astype(np.int32) for name in _MASK_FACTORS}
    return found | {
        "colour": colour.astype(np.int32),
        "background": background.astype(np.int32),
        "quality": np.clip(quality, 0, 1).astype(np.float32),
    }


def _nearest(values: np.ndarray, table: np.ndarray) -> np.ndarray:
    """For each of [n, C] the row of [k, C] at the smallest distance: int [n]."""
    return np.argmin(np.square(values[:, None] - table).sum(-1), axis=1)


@lru_cache(maxsize=2)
def _templates(side: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """All 5400 masks: their factors, float32 [5400, side * side], and their norms [5400]."""
    rows = np.array(list(itertools.product(*(range(FACTORS[name]) for name in _MASK_FACTORS))))
    choices = {name: rows[:, i] for i, name in enumerate(_MASK_FACTORS)}
    masks = coverage(choices, side).reshape(len(rows), -1)
    return choices, masks, np.linalg.norm(masks, axis=1)
