"""Pipes of Super Mario Bros that are broken: the known fault of the GAN of Volz et al. 2018."""

from __future__ import annotations

import numpy as np

from gan_jax.data.games import MARIO

TOP_LEFT, TOP_RIGHT, LEFT, RIGHT = MARIO.numbers("<>[]")
PIPE = (TOP_LEFT, TOP_RIGHT, LEFT, RIGHT)


def broken_pipes(level: np.ndarray) -> np.ndarray:
    """The tiles of pipes that lack their other part, bool [H, W].

    A left part has its right part beside it, and the other way round; a shaft has a shaft or a top above it,
    and a top has a shaft or something else that is no sky below it. What lies outside of the level is whole.

    Args:
        level: tiles of `games.MARIO`, uint8 [H, W].
    """
    tiles = np.asarray(level)
    right, left = _moved(tiles, 0, -1), _moved(tiles, 0, 1)
    above, below = _moved(tiles, 1, 0), _moved(tiles, -1, 0)
    outside, sky = -1, MARIO.numbers("-Eo")
    broken = np.zeros(tiles.shape, bool)
    for top, shaft, beside, partners in (
        (TOP_LEFT, LEFT, right, (TOP_RIGHT, RIGHT)),
        (TOP_RIGHT, RIGHT, left, (TOP_LEFT, LEFT)),
    ):
        for part, partner in zip((top, shaft), partners, strict=True):
            broken |= (tiles == part) & (beside != partner) & (beside != outside)
        broken |= (tiles == shaft) & ~np.isin(above, (top, shaft, outside))
        broken |= (tiles == top) & np.isin(below, sky)
    return broken


def _moved(tiles: np.ndarray, down: int, right: int) -> np.ndarray:
    """The tiles moved by a row or a column; -1 where they come from outside."""
    padded = np.pad(tiles.astype(int), 1, constant_values=-1)
    height, width = tiles.shape
    return padded[1 - down : 1 - down + height, 1 - right : 1 - right + width]
