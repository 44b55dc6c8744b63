"""Precision, recall, density and coverage: shares of samples inside nearest-neighbour balls.

Improved precision and recall (Kynkäänniemi et al. 2019, arXiv:1904.06991, equations 1 and 2) and density and
coverage (Naeem et al. 2020, arXiv:2002.09797, equations 3 and 5). The ball around a sample reaches to its
k-th nearest other sample of the same set.

A sample that lies exactly on a ball's surface is inside for precision and recall (<= in equation 1, in the
authors' code and in torch-fidelity), and outside for density and coverage (< in the authors' package prdc,
which takes < for its precision and recall too). This matters where fakes are copies of real images: with <
the density of an exact copy of the real set is 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gan_jax.metrics.distances import nearest_squared, tiles
from gan_jax.metrics.features import check_features, check_same_width


@dataclass(frozen=True)
class Prdc:
    """Results of `prdc`.

    Attributes:
        precision: share of the fakes that lie in at least one real ball, 0 to 1.
        recall: share of the real samples that lie in at least one fake ball, 0 to 1.
        density: mean number of real balls that a fake lies in, over k; near 1 for equal distributions, and
            above it where fakes crowd where the data is dense.
        coverage: share of the real balls that hold at least one fake, 0 to 1. Its expectation for equal
            distributions is 1 - ((N - 1) ... (N - k)) / ((M + N - 1) ... (M + N - k)) (Naeem et al. 2020,
            Lemma 2): a real sample is not covered if its k nearest others, of both sets, are all real.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(
    real: np.ndarray,
    fake: np.ndarray,
    *,
    manifold_k: int = 3,
    density_k: int = 5,
    real_squared: np.ndarray | None = None,
) -> Prdc:
    """Precision, recall, density and coverage, in one pass over the distances between the two sets.

    All four depend on the number of samples, so compare only values of the same N and M, and mind that one
    far outlier among the real samples has a ball that can hold any number of fakes (which is why density and
    coverage exist).

    Args:
        real: features [N, D].
        fake: features [M, D].
        manifold_k: k of precision and recall; 3 in the paper.
        density_k: k of density and coverage; 5 in the paper's code.
        real_squared: `squared_neighbours(real, k)`, where it is known from before: it takes most of the time
            where there are more reals than fakes.

    Raises:
        UserError: NaN or infinite features, or fewer than k + 1 samples.
    """
    if min(manifold_k, density_k) < 1:
        raise ValueError(f"manifold_k={manifold_k} and density_k={density_k}: both must be at least 1")
    real = check_features(real, "real features", max(manifold_k, density_k) + 1)
    fake = check_features(fake, "fake features", manifold_k + 1)
    check_same_width(real, fake)
    if real_squared is None:
        real_squared = squared_neighbours(real, max(manifold_k, density_k))
    if real_squared.shape[0] != len(real) or real_squared.shape[1] < max(manifold_k, density_k):
        raise ValueError(
            f"real_squared {real_squared.shape}: expected ({len(real)}, {max(manifold_k, density_k)} or more)"
        )
    _, fake_squared = nearest_squared(fake, None, manifold_k)
    real_manifold, real_density = real_squared[:, manifold_k - 1], real_squared[:, density_k - 1]
    fake_manifold = fake_squared[:, -1]

    realistic, reached = np.zeros(len(fake), bool), np.zeros(len(real), bool)
    covered, memberships = np.zeros(len(real), bool), 0
    for tile in tiles(real, fake):
        realistic[tile.pairs_within(real_manifold, strict=False)[1]] = True
        reached[tile.transposed().pairs_within(fake_manifold, strict=False)[1]] = True
        ball, _ = tile.pairs_within(real_density, strict=True)
        covered[ball] = True
        memberships += len(ball)
    return Prdc(
        precision=float(realistic.mean()),
        recall=float(reached.mean()),
        density=memberships / (density_k * len(fake)),
        coverage=float(covered.mean()),
    )


def squared_neighbours(features: np.ndarray, k: int) -> np.ndarray:
    """The squared distances of each row [N, D] to its k nearest other rows, float64 [N, k], nearest first.

    Raises:
        UserError: NaN or infinite features, or fewer than k + 1 samples.
    """
    return nearest_squared(check_features(features, "real features", k + 1), None, k)[1]
