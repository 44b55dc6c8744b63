"""A walker through levels of Lode Runner: whether each heap of gold can be reached from the runner.

It walks on ground and on the tops of ladders, climbs ladders, moves along ropes and lets go of them, and
falls where nothing holds it. Standing, it digs the soft brick diagonally below it, if nothing solid lies
above that brick, and drops into the hole. Holes stay open, each heap is looked
for by itself, and enemies are air: that all heaps can be taken in one round, before the holes close, is not
said.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gan_jax.data.games import LODE_RUNNER

SOLID = LODE_RUNNER.numbers("Bb")
(BRICK,) = LODE_RUNNER.numbers("b")
(ROPE,) = LODE_RUNNER.numbers("-")
(LADDER,) = LODE_RUNNER.numbers("#")
(GOLD,) = LODE_RUNNER.numbers("G")
(RUNNER,) = LODE_RUNNER.numbers("M")

Place = tuple[int, int]


def reached(level: np.ndarray, dig: bool = True) -> np.ndarray:
    """Where the runner can come, bool [H, W]; from each of several runners, nowhere without one.

    Args:
        level: tiles of `games.LODE_RUNNER`, uint8 [22, 32].
        dig: whether it digs.
    """
    level = np.asarray(level)
    found = level == RUNNER
    waiting = [(int(row), int(column)) for row, column in np.argwhere(found)]
    while waiting:
        for place in _moves(level, found, waiting.pop(), dig):
            if found[place]:
                continue
            found[place] = True
            waiting.append(place)
            if level[place] == BRICK:  # the hole may open ways from the places beside it
                row, column = place
                beside = ((row - 1, column), (row, column - 1), (row, column + 1), (row + 1, column))
                inside = [(r, c) for r, c in beside if 0 <= r < len(level) and 0 <= c < level.shape[1]]
                waiting += [other for other in inside if found[other]]
    return found


def gold_share(level: np.ndarray, dig: bool = True) -> float:
    """The share of the heaps of gold that can be reached; 0 without gold or without a runner."""
    gold = np.asarray(level) == GOLD
    return float(reached(level, dig)[gold].mean()) if gold.any() else 0.0


def is_playable(level: np.ndarray, dig: bool = True) -> bool:
    """Whether there is one runner, and gold, and all of it can be reached."""
    return int((np.asarray(level) == RUNNER).sum()) == 1 and gold_share(level, dig) == 1.0


def _moves(level: np.ndarray, found: np.ndarray, place: Place, dig: bool) -> Iterator[Place]:
    height, width = level.shape

    def is_open(row: int, column: int) -> bool:
        inside = 0 <= row < height and 0 <= column < width
        return inside and (level[row, column] not in SOLID or bool(found[row, column]))

    row, column = place
    tile, below = level[place], level[row + 1, column] if row + 1 < height else None
    if is_open(row + 1, column):  # falls, climbs down, or lets go
        yield row + 1, column
    if not (tile in (ROPE, LADDER) or below is None or below in SOLID or below == LADDER):
        return  # falls, and does nothing else
    if tile == LADDER and is_open(row - 1, column):
        yield row - 1, column
    for side in (column - 1, column + 1):
        if is_open(row, side):
            yield row, side
            if dig and row + 1 < height and level[row + 1, side] == BRICK:
                yield row + 1, side
