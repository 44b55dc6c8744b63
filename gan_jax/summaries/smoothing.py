"""Curves of many steps with fewer points, for pictures that have fewer columns."""

from __future__ import annotations

import math

import numpy as np


def thinned(steps: np.ndarray, values: np.ndarray, points: int) -> tuple[np.ndarray, np.ndarray]:
    """At most so many points that look like all of them: each stretch's least and greatest value.

    Args:
        steps: [T], rising.
        values: [T], finite.
    """
    if len(values) <= points:
        return steps, values
    starts = np.linspace(0, len(values), points // 2, endpoint=False).astype(int)
    least, greatest = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    return np.repeat(steps[starts], 2), np.stack([least, greatest], axis=1).ravel()


def smoothed(steps: np.ndarray, values: np.ndarray, points: int) -> tuple[np.ndarray, np.ndarray]:
    """The moving mean over a hundredth of the run, thinned out by leaving points away.

    Arguments as `thinned`.
    """
    window = max(1, len(values) // 100)
    total = np.cumsum(np.concatenate([[0.0], values]))
    means = (total[window:] - total[:-window]) / window
    centres = steps[window // 2 : window // 2 + len(means)]
    stride = max(1, math.ceil(len(means) / points))
    return centres[::stride], means[::stride]
