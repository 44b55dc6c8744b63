"""How many different levels there are in a set, and how near they come to the levels of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Copies:
    """Results of `copies`.

    Attributes:
        distinct: different levels, as a share of all.
        copied: the share of levels that equal one of the reals in all tiles.
        nearest: the share of tiles in which a level differs from the nearest of the reals, on average.
    """

    distinct: float
    copied: float
    nearest: float


def copies(levels: np.ndarray, real: np.ndarray) -> Copies:
    """Compares levels uint8 [N, H, W] with reals uint8 [M, H, W].

    Raises:
        ValueError: other shapes, or none.
    """
    if levels.ndim != 3 or levels.shape[1:] != real.shape[1:] or not len(levels) or not len(real):
        raise ValueError(f"expected levels of one size, at least one, not {levels.shape} and {real.shape}")
    flat, known = (np.asarray(side).reshape(len(side), -1) for side in (levels, real))
    differing = np.array([(known != level).sum(axis=1).min() for level in flat])
    return Copies(
        distinct=len(np.unique(flat, axis=0)) / len(flat),
        copied=float((differing == 0).mean()),
        nearest=float(differing.mean() / flat.shape[1]),
    )
