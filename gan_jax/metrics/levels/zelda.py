"""A walker through rooms of The Legend of Zelda: whether each door and stair can be reached from the others.

It steps to the four neighbours, over floor, doors, stairs, monsters (which can be fought) and floor over
water. Blocks stay where they are, bombs and candles open nothing, and water is crossed only with `ladder`,
the game's step-ladder, one tile at a time. The corpus's rooms do not say where keys lie, so that none is
looked for; its doors do not say whether they are locked.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from gan_jax.data.games import ZELDA

WALKABLE = ZELDA.numbers("FDSMO")
EXITS = ZELDA.numbers("DS")
(WATER,) = ZELDA.numbers("P")


def exits(level: np.ndarray) -> tuple[np.ndarray, int]:
    """Doors and stairs, each of one tile or more: their numbers from 1, int [H, W], and how many."""
    labels, count = ndimage.label(np.isin(level, EXITS))
    return labels, int(count)


def is_playable(level: np.ndarray, ladder: bool = False) -> bool:
    """Whether the room has an exit, and from each exit all others can be reached.

    Args:
        level: tiles of `games.ZELDA`, uint8 [16, 11].
        ladder: whether single tiles of water, between two that can be walked on, can be crossed.
    """
    open_to = np.isin(level, WALKABLE)
    numbers, count = exits(level)
    if ladder:
        open_to = open_to | (_crossable(open_to) & (level == WATER))
    parts, _ = ndimage.label(open_to)
    return count > 0 and len({int(part) for part in parts[numbers > 0]}) == 1


def _crossable(open_to: np.ndarray) -> np.ndarray:
    """Places with a walkable tile on two opposite sides."""
    padded = np.pad(open_to, 1)
    upright = padded[:-2, 1:-1] & padded[2:, 1:-1]
    across = padded[1:-1, :-2] & padded[1:-1, 2:]
    both: np.ndarray = upright | across
    return both
