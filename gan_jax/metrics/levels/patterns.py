"""Which tiles and patterns of tiles occur, and how far two sets of levels differ in that.

Lucas and Volz 2019, "Tile pattern KL-divergence for analysing and evolving game levels", arXiv:1905.05077:
the distribution of all square patterns of a size, and its KL divergence from that of the given levels, both
ways.
"""

from __future__ import annotations

import numpy as np

EPSILON = 1e-6  # of the smoothing; see `pattern_divergences`


def tile_shares(levels: np.ndarray, kinds: int) -> np.ndarray:
    """The share of each kind among all tiles of levels [N, H, W]: float64 [kinds]."""
    counts = np.bincount(np.asarray(levels).ravel(), minlength=kinds)
    return counts / max(counts.sum(), 1)


def patterns(levels: np.ndarray, side: int) -> dict[bytes, int]:
    """How often each pattern of side x side tiles occurs in levels uint8 [N, H, W], at every place.

    Raises:
        ValueError: the levels are smaller than the pattern.
    """
    levels = np.ascontiguousarray(levels, np.uint8)
    if levels.ndim != 3 or min(levels.shape[1:]) < side or side < 1:
        raise ValueError(f"expected levels [N, H, W] of at least {side} x {side} tiles, not {levels.shape}")
    windows = np.lib.stride_tricks.sliding_window_view(levels, (side, side), axis=(1, 2))
    rows = np.ascontiguousarray(windows.reshape(-1, side * side))
    found, counts = np.unique(rows.view(f"V{side * side}").ravel(), return_counts=True)
    return {pattern.tobytes(): int(count) for pattern, count in zip(found, counts, strict=True)}


def pattern_divergences(fake: dict[bytes, int], real: dict[bytes, int]) -> tuple[float, float]:
    """KL(fake || real) and KL(real || fake) of two sets of counted patterns, in nats.

    Over all patterns that occur in either. The probability of a pattern with count c among C is taken as
    (c + e) / ((C + e) (1 + e)), e = 1e-6, so that one that a side lacks counts much and not infinitely. The
    first is large where the fakes have patterns that the reals lack, the second where they lack some.
    """
    names = sorted(fake.keys() | real.keys())
    p, q = (_smoothed([counts.get(name, 0) for name in names]) for counts in (fake, real))
    return float((p * np.log(p / q)).sum()), float((q * np.log(q / p)).sum())


def _smoothed(counts: list[int]) -> np.ndarray:
    given = np.array(counts, np.float64)
    smoothed: np.ndarray = (given + EPSILON) / ((given.sum() + EPSILON) * (1 + EPSILON))
    return smoothed
