"""The distribution of G(z) on the line, from the latent's density and G itself.

A one-dimensional latent is cut into short pieces of known probability. On each piece G is taken to be
straight, so that its probability lies evenly between the images of its ends: the change of variables
p_g = p_z / |G'|, summed over all z with the same G(z), without the division. It holds for
generators that fold back, too.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from gan_jax.utils.checks import check_count

_STEP = 1e-4  # of a cell: a piece whose image is shorter is a point
_ROUNDING = 1e-11
_REACH = 6.0  # standard deviations


def normal_pieces(count: int) -> tuple[np.ndarray, np.ndarray]:
    """A standard normal latent in `count` pieces of equal width.

    Args:
        count: pieces between -6 and 6 standard deviations; what lies beyond is given to the outermost ones.

    Returns:
        their ends, float64 [count + 1]; their probabilities, float64 [count], with the sum 1.
    """
    check_count(count, "count")
    ends = np.linspace(-_REACH, _REACH, count + 1)
    below = ndtr(ends)
    below[0], below[-1] = 0.0, 1.0
    return ends, np.diff(below)


def pushforward(images: np.ndarray, masses: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The probability of G(z) in each cell.

    Args:
        images: G at the ends of the pieces, [M + 1], in the order of z.
        masses: probabilities of the pieces, [M].
        edges: of the cells, increasing, [N + 1].

    Returns:
        float64 [N]; their sum is below 1 by what falls outside the edges. What is below the rounding of the
        sums, 1e-11, is 0.
    """
    images, edges = np.asarray(images, np.float64), np.asarray(edges, np.float64)
    if images.ndim != 1 or masses.shape != (len(images) - 1,):
        raise ValueError(f"{len(images)} ends of pieces and masses of shape {list(masses.shape)}")
    lower, upper = np.minimum(images[1:], images[:-1]), np.maximum(images[1:], images[:-1])
    found = np.diff(_cumulative(lower, upper, np.asarray(masses, np.float64), edges))
    return np.where(found > _ROUNDING, found, 0.0)


def log_cells(probabilities: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """ln of the mean density in each cell [N], in nats; -inf in an empty one."""
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(probabilities, np.float64) / np.diff(edges))


def _cumulative(lower: np.ndarray, upper: np.ndarray, masses: np.ndarray, at: np.ndarray) -> np.ndarray:
    """P(G(z) <= at): each piece adds a straight ramp from `lower` to `upper`, a step where they coincide.

    A ramp is a difference of two hinges, and a sum of hinges at sorted knots is a pair of cumulative sums.
    """
    width = upper - lower
    tiny = width < _STEP * np.diff(at).min()  # a steep ramp's hinges would cancel to nothing but rounding
    slope = np.where(tiny, 0.0, masses / np.where(tiny, 1.0, width))
    total = _hinges(lower, slope, at) - _hinges(upper, slope, at)
    steps = np.sort(lower[tiny])
    if len(steps):
        order = np.argsort(lower[tiny])
        heights = np.concatenate([[0.0], np.cumsum(masses[tiny][order])])
        total += heights[np.searchsorted(steps, at, side="right")]
    return total


def _hinges(knots: np.ndarray, slopes: np.ndarray, at: np.ndarray) -> np.ndarray:
    """sum_i slopes[i] max(0, at - knots[i])."""
    order = np.argsort(knots)
    knots, slopes = knots[order], slopes[order]
    weight = np.concatenate([[0.0], np.cumsum(slopes)])
    moment = np.concatenate([[0.0], np.cumsum(slopes * knots)])
    index = np.searchsorted(knots, at, side="right")
    return weight[index] * at - moment[index]
