"""Long levels of windows one behind the other, chosen so that nothing breaks where they meet."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from gan_jax.data.level_text import beside
from gan_jax.metrics.levels.mario import walk
from gan_jax.metrics.levels.pipes import broken_pipes

TRIES = 20  # windows that are tried for a place


def is_whole_seam(left: np.ndarray, right: np.ndarray) -> bool:
    """Whether no pipe of two windows of Mario breaks where they meet, and the walker passes both together."""
    joined, at = beside([left, right]), left.shape[1]
    apart = beside([broken_pipes(left), broken_pipes(right)])
    breaks = (broken_pipes(joined) & ~apart)[:, at - 1 : at + 1]
    return not breaks.any() and walk(joined).arrived


def long_levels(windows: Sequence[np.ndarray], count: int, length: int) -> tuple[list[np.ndarray], int]:
    """Levels of `length` windows each, and how many of their seams are not whole.

    The windows are taken in turn; for each place behind another the first of the next `TRIES` is taken whose
    seam is whole, and the first of all where there is none. What was passed over stays in line.

    Args:
        windows: uint8 [H, W] each, at least count * length.
    """
    if len(windows) < count * length:
        raise ValueError(f"{count} levels of {length} windows need more than {len(windows)} windows")
    line, levels, broken = deque(windows), [], 0
    for _ in range(count):
        level = [line.popleft()]
        while len(level) < length:
            tried = list(line)[:TRIES]
            fits = next((at for at, window in enumerate(tried) if is_whole_seam(level[-1], window)), None)
            broken += fits is None
            level.append(tried[fits or 0])
            del line[fits or 0]
        levels.append(beside(level))
    return levels, broken
