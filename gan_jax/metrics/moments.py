"""Mean and covariance of features, accumulated piece by piece, for the Fréchet distance.

Two sets with counts n, m, means a, b and scatters A, B have together the scatter
A + B + (b - a)(b - a)^T n m / (n + m) (Chan, Golub and LeVeque 1983, "Algorithms for computing the sample
variance", The American Statistician 37(3)). No large number is squared and then subtracted,
so a mean far from 0 costs no digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gan_jax.metrics.features import check_features
from gan_jax.utils.checks import check_count
from gan_jax.utils.errors import UserError


@dataclass(frozen=True, eq=False)
class Moments:
    """The first two moments of features.

    All sums are numpy's float64 on the host, whatever the accelerator has, so the moments of 50,000 samples
    are right to 12 digits or more. Sums in float32, all that many accelerators have, would leave no digit of
    a covariance where the mean is 10,000 standard deviations from 0.

    Attributes:
        count: N.
        mean: float64 [D].
        scatter: float64 [D, D], the sum of (x - mean)(x - mean)^T; symmetric.
    """

    count: int
    mean: np.ndarray
    scatter: np.ndarray

    def add(self, features: np.ndarray) -> Moments:
        """The moments of these samples and those so far; neither is changed.

        How samples are grouped into pieces does not matter beyond float64's rounding. Each call also costs
        a few passes over [D, D], so pieces of thousands are quicker than pieces of 64.

        Args:
            features: float32 [n, D]; n may be 0.

        Raises:
            UserError: NaN or infinite entries.
            ValueError: not [n, D].
        """
        samples = check_features(features).astype(np.float64)
        if samples.shape[1] != len(self.mean):
            raise ValueError(f"features {samples.shape} cannot be added to moments of D={len(self.mean)}")
        if not len(samples):
            return self
        mean = samples.mean(axis=0)
        samples -= mean
        return self.merge(Moments(len(samples), mean, samples.T @ samples))

    def merge(self, other: Moments) -> Moments:
        """The moments of both sets of samples, for parts that were summed apart.

        Raises:
            ValueError: another number of features.
        """
        if self.mean.shape != other.mean.shape:
            raise ValueError(f"moments of D={len(self.mean)} and D={len(other.mean)} do not go together")
        if not self.count or not other.count:
            return self if self.count else other
        count = self.count + other.count
        step = other.mean - self.mean
        between = np.outer(step, step * (self.count * (other.count / count)))
        # The product's rounding is not the same on both sides of the diagonal.
        scatter = self.scatter + other.scatter + (between + between.T) / 2
        return Moments(count, self.mean + step * (other.count / count), scatter)

    @property
    def covariance(self) -> np.ndarray:
        """The unbiased covariance, float64 [D, D]: the scatter over N - 1.

        Raises:
            UserError: fewer than 2 samples.
        """
        if self.count < 2:
            raise UserError(f"a covariance needs at least 2 samples, and there are {self.count}: give more")
        return self.scatter / (self.count - 1)


def moments_of(features: np.ndarray, block: int = 8192) -> Moments:
    """The moments of a whole set.

    Args:
        features: float32 [N, D].
        block: how many samples are float64 at a time.

    Raises:
        UserError: NaN or infinite entries.
        ValueError: not [N, D], or no positive block.
    """
    check_count(block, "block")
    size = check_features(features).shape[1]
    moments = Moments(0, np.zeros(size), np.zeros((size, size)))
    for start in range(0, len(features), block):
        moments = moments.add(features[start : start + block])
    return moments
