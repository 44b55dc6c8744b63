"""A Markov chain of columns: the baseline that a generator of levels has to beat.

Snodgrass and Ontanon 2014, "Experiments in map generation using Markov chains", have chains of tiles; here a
whole column follows the one or two before it as often as in the given windows.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np


class ColumnChain:
    """Learned from windows uint8 [N, H, W].

    Args:
        order: columns that the next one follows, at least 1.
    """

    def __init__(self, windows: np.ndarray, order: int = 1) -> None:
        self._columns: dict[bytes, np.ndarray] = {}
        self._order, self._width = order, windows.shape[2]
        self._starts = [self._names(window)[:order] for window in windows]
        self._next: dict[tuple[bytes, ...], list[bytes]] = defaultdict(list)
        for window in windows:
            names = self._names(window)
            for at in range(len(names) - 1):
                for length in range(1, order + 1):
                    if at + 1 >= length:
                        self._next[tuple(names[at + 1 - length : at + 1])].append(names[at + 1])

    def sample(self, count: int, seed: int = 0) -> np.ndarray:
        """Windows uint8 [count, H, W].

        Where nothing follows the last columns, as at a level's end, it goes by fewer of them, and by none it
        takes the beginning of some window.
        """
        random = np.random.default_rng(seed)
        return np.stack([self._window(random) for _ in range(count)])

    def _window(self, random: np.random.Generator) -> np.ndarray:
        names = list(self._starts[random.integers(len(self._starts))])
        while len(names) < self._width:
            for length in range(self._order, 0, -1):
                if following := self._next.get(tuple(names[-length:])):
                    names.append(following[random.integers(len(following))])
                    break
            else:
                names.append(self._starts[random.integers(len(self._starts))][0])
        return np.stack([self._columns[name] for name in names], axis=1)

    def _names(self, window: np.ndarray) -> list[bytes]:
        found = []
        for column in window.T:
            name = column.tobytes()
            self._columns.setdefault(name, column.copy())
            found.append(name)
        return found
