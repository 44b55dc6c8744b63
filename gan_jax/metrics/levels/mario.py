"""A walker through levels of Super Mario Bros: whether the right edge can be reached from the left one.

It knows tiles, and nothing of the game's engine. On ground it walks a column at a time. It jumps at most
four rows up, one row at a time and up to one column with each, may end the rise early, makes at most one
level move at the top, and falls a row at a time, up to one column with each. So it crosses gaps of eight
columns and steps of four rows, about what the game allows with a run-up. Enemies and coins are air, nothing
breaks or moves, and above the top row is air.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gan_jax.data.games import MARIO

JUMP = 4  # rows up
REACH = 2 * JUMP + 1  # columns that a jump passes on a level
TOP = JUMP + 1  # the phase at the top of a jump
SOLID = MARIO.numbers("XS?Q<>[]Bb")


class Walk(NamedTuple):
    """What the walker found.

    Attributes:
        arrived: whether it came to the last column.
        progress: the farthest column that it reached, as a share of the level, 0 to 1.
        path: (row, column) of a shortest way, or of the way to the farthest column; empty without a start.
    """

    arrived: bool
    progress: float
    path: tuple[tuple[int, int], ...]


State = tuple[int, int, int]  # row, column, phase: 0 on ground or falling, 1 to JUMP still to rise, TOP


def walk(level: np.ndarray) -> Walk:
    """Looks for a way with A*; its guess of what is left is the number of columns.

    It starts in any place to stand in the first column that has one, which a jump into the level must reach.

    Args:
        level: tiles of `games.MARIO`, uint8 [H, W].
    """
    solid = np.isin(level, SOLID)
    width = solid.shape[1]
    came_from: dict[State, State | None] = dict.fromkeys(_starts(solid))
    costs = dict.fromkeys(came_from, 0)
    queue = [(width - 1 - state[1], -state[0], 0, state) for state in came_from]  # of equal ones the lower
    heapq.heapify(queue)
    farthest: State | None = None
    while queue:
        _, _, cost, state = heapq.heappop(queue)
        if cost > costs[state]:
            continue  # a shorter way there was found since
        if farthest is None or state[1] > farthest[1]:
            farthest = state
        if state[1] == width - 1:
            break
        for following in _moves(solid, state):
            if cost + 1 < costs.get(following, cost + 2):
                came_from[following], costs[following] = state, cost + 1
                heapq.heappush(queue, (cost + width - following[1], -following[0], cost + 1, following))
    if farthest is None:
        return Walk(False, 0.0, ())
    return Walk(farthest[1] == width - 1, (farthest[1] + 1) / width, _path(came_from, farthest))


def _starts(solid: np.ndarray) -> list[State]:
    stands = ~solid[:-1] & solid[1:]
    columns = np.flatnonzero(stands.any(axis=0)[:REACH])
    return (
        [(int(row), int(columns[0]), 0) for row in np.flatnonzero(stands[:, columns[0]])]
        if len(columns)
        else []
    )


def _moves(solid: np.ndarray, state: State) -> Iterator[State]:
    row, column, phase = state
    height = len(solid)
    sideways = (1, -1)
    if phase == 0 and _free(solid, row + 1, column):  # in the air
        if row + 1 < height:  # below the last row nobody lives
            yield from ((row + 1, column + d, 0) for d in (0, *sideways) if _free(solid, row + 1, column + d))
        return
    if phase == 0:
        yield from ((row, column + d, 0) for d in sideways if _free(solid, row, column + d))
        phase = JUMP
    elif phase == TOP or phase < JUMP:
        yield from ((row, column + d, 0) for d in sideways if _free(solid, row, column + d))
        yield row, column, 0
    if phase != TOP and _free(solid, row - 1, column):
        following = phase - 1 or TOP
        for d in (0, *sideways):
            if _free(solid, row - 1, column + d):
                yield row - 1, column + d, following


def _free(solid: np.ndarray, row: int, column: int) -> bool:
    height, width = solid.shape
    return 0 <= column < width and (row < 0 or row >= height or not solid[row, column])


def _path(came_from: dict[State, State | None], last: State) -> tuple[tuple[int, int], ...]:
    steps: list[tuple[int, int]] = []
    state: State | None = last
    while state is not None:
        if not steps or steps[-1] != state[:2]:
            steps.append(state[:2])
        state = came_from[state]
    return tuple(reversed(steps))
