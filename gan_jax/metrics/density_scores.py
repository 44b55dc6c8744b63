"""Scores of generated points against a distribution of known density.

Four scores, each of a failure of its own: modes that are missed, points between the modes, modes that are hit
unevenly, and all that differs in shape or place.

- A point is of high quality if it lies within three standard deviations of a mode, and a mode is reached if
  at least one such point is nearest to it: VEEGAN (Srivastava et al. 2017, arXiv:1705.07761, section 4.1;
  2,500 points, means over trained generators) and the published code of PacGAN (Lin et al. 2017,
  arXiv:1712.04086). One point is enough, so a generator with many stray points reaches modes by chance: read
  `modes_reached` beside `high_quality`.
- `reverse_kl` is over the points of high quality alone, in the direction of `modes.mode_coverage`:
  KL(generated || weights of the modes). A missed mode adds nothing by itself; one mode of K equal ones gives
  ln K. Stray points do not count in it, so it too stands beside `high_quality`. It is infinite where no point
  is of high quality: the worst of all values, so that checkpoints can be ranked by it.
- `sliced_wasserstein_1` sees what a count of modes does not, the spread within the modes and how far away
  stray points are: the 1-Wasserstein distance of the projections on fixed directions, averaged (Bonneel et
  al. 2015, "Sliced and Radon Wasserstein barycenters of measures"; W1 itself where D = 1).

-E ln p(x) of the generated points is not among them: a point 20 standard deviations away counts 200 nats, so
a single one drowns the others, and lines of measure zero have no density.

A perfect generator is not at the ends of the scales. Of n points of K round modes in the plane
1 - exp(-9/2) = 98.9 % are of high quality, the KL is about (K - 1) / (2 n), and the distance about that
between two samples of the density.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gan_jax.densities.density import Density
from gan_jax.metrics.modes import mode_coverage
from gan_jax.metrics.sliced_wasserstein import unit_directions
from gan_jax.utils.checks import check_count

_SEED = 0  # of the directions in more than two dimensions: the same for every generator


@dataclass(frozen=True)
class DensityScores:
    """Results of `density_scores`.

    Attributes:
        modes_reached: modes that at least one point of high quality belongs to.
        high_quality: share of the points that belong to a mode, 0 to 1.
        reverse_kl: KL(generated || weights of the modes) in nats; infinity where no point belongs to a mode.
        sliced_wasserstein_1: in the units of the points.
    """

    modes_reached: int
    high_quality: float
    reverse_kl: float
    sliced_wasserstein_1: float


@dataclass(frozen=True)
class Projected:
    """Sorted projections of points on directions, for their distances to other points.

    Attributes:
        directions: float64 [K, D], unit vectors.
        values: float64 [K, M], the projections, ascending.
        sums: float64 [K, M + 1], `sums[k, j]` is the sum of the first j values.
    """

    directions: np.ndarray
    values: np.ndarray
    sums: np.ndarray

    def distance(self, points: np.ndarray) -> float:
        """The mean over the directions of W1 between the projections of `points` [N, D] and these; exact.

        W1 is the integral over u in [0, 1] of |x(u) - y(u)|, with the quantile functions of both sides. x(u)
        is constant on ((i - 1) / N, i / N], where y(u) rises through it once at most: before that the
        integrand is x - y, after it y - x, and the integral of y is read off its partial sums. So N points
        cost N binary searches, however many the others are.

        Raises:
            ValueError: no points, or not [N, D].
        """
        if points.ndim != 2 or not points.size:
            raise ValueError(f"expected points [N, {self.directions.shape[1]}], got {points.shape}")
        count, there = len(points), self.values.shape[1]
        edges = np.arange(count + 1) * there / count  # where x(u) steps, as a number of y's values
        total = 0.0
        for x, y, sums in zip(_on(self.directions, points), self.values, self.sums, strict=True):
            crossing = np.clip(np.searchsorted(y, x), edges[:-1], edges[1:])
            before, after = _integral(y, sums, crossing), _integral(y, sums, edges)
            of_x = x * (2 * crossing - edges[:-1] - edges[1:])
            total += float(np.sum(of_x - 2 * before + after[:-1] + after[1:]))
        return max(0.0, total / (there * len(self.directions)))


def projected(points: np.ndarray, *, directions: int) -> Projected:
    """Points [M, D] on fixed directions.

    Args:
        directions: how many; one where D = 1. In the plane they are spaced evenly over half a turn, for u and
            -u are the same; elsewhere they are random, and always the same.

    Raises:
        ValueError: no points, or not [M, D].
    """
    check_count(directions, "directions")
    if points.ndim != 2 or not points.size:
        raise ValueError(f"expected points [M, D], got {points.shape}")
    toward = _directions(points.shape[1], directions)
    values = _on(toward, points)
    sums = np.pad(np.cumsum(values, axis=1), [(0, 0), (1, 0)])
    return Projected(toward, values, sums)


def density_scores(points: np.ndarray, density: Density, reals: Projected) -> DensityScores:
    """The scores of generated points.

    Args:
        points: [N, D], generated.
        density: the distribution that they should follow.
        reals: draws of it, projected.

    Raises:
        UserError: no points.
        ValueError: not [N, D] with the density's D.
    """
    if points.ndim != 2 or points.shape[1] != density.dimension:
        raise ValueError(f"expected points [N, {density.dimension}], got {points.shape}")
    weights = density.weights
    found = mode_coverage(density.mode_of(points), len(weights), weights)
    return DensityScores(
        modes_reached=found.modes,
        high_quality=found.high_quality,
        reverse_kl=found.kl,
        sliced_wasserstein_1=reals.distance(points),
    )


def _directions(dimension: int, count: int) -> np.ndarray:
    """float64 [K, D]."""
    if dimension == 1:
        return np.ones((1, 1))
    if dimension == 2:
        angles = np.arange(count) * (math.pi / count)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return unit_directions(dimension, count, np.random.default_rng(_SEED)).T.astype(np.float64)


def _on(directions: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The projections of points [N, D] on directions [K, D], ascending: float64 [K, N]."""
    return np.sort(directions @ points.T.astype(np.float64), axis=1)


def _integral(values: np.ndarray, sums: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The first so many of sorted values [M], summed; of one in part, that part. Not negative, at most M."""
    whole = np.minimum(ends.astype(np.int64), len(values) - 1)
    return sums[whole] + (ends - whole) * values[whole]
