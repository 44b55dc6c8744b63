"""Birthday paradox test: an estimate of the number of different images that a generator makes.

Arora and Zhang 2017, arXiv:1706.08224: if a batch of s samples holds a pair of duplicates about half of the
time, the generator's support is of the order of s^2 (Theorem 1). They look for pairs by eye among the
nearest ones. Here a pair is a duplicate if its features lie within a threshold, and all pairs are counted
instead of batches: the share of pairs that are duplicates is an unbiased estimate of sum_i p_i^2, whose
inverse is the number of images where all are equally likely, and else the number of equally likely images
that would collide as often (the order-2 Hill number), which frequent images decide: rare ones may be many
more.

Assumed: samples are independent, and being a duplicate is being the same image (so far as a chain of
duplicates a, b, c has a and c apart, the notion itself is blurred).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gan_jax.metrics.distances import nearest_squared, tiles
from gan_jax.metrics.features import check_features

_ONE_SIDED_95 = 1.6449  # normal quantile


@dataclass(frozen=True)
class Duplicates:
    """Results of `duplicates`.

    Attributes:
        batch: s, the samples in a batch.
        num_batches: disjoint batches that were looked at.
        collision_share: share of them with at least one pair of duplicates.
        num_pairs: pairs of duplicates among all samples.
        support: estimated number of different images; infinity where no pair was found.
        support_error: its standard error; infinity where no pair was found.
        support_at_least: lower bound of the support at 95 % confidence, also where no pair was found; then
            it says how far these samples can see: about N^2 / 6.
        half_batch: smallest batch of which half hold a pair, given `support`; infinity where none was found.
    """

    batch: int
    num_batches: int
    collision_share: float
    num_pairs: int
    support: float
    support_error: float
    support_at_least: float
    half_batch: float


def duplicate_threshold(real: np.ndarray, quantile: float = 0.01) -> float:
    """A distance up to which two images count as duplicates: a low quantile of those between real ones.

    Of real images [N, D] a share `quantile` has its nearest other image within the threshold. So the real
    data itself would seem to have at most (N - 1) / quantile different images, and no estimate near that
    says that a generator has few. Use the same `real` for generators that are compared, and look at some
    pairs at the threshold: only the eye says whether they are the same image.

    Args:
        real: features of real images, without copies of one image, at least 1 / quantile of them.
        quantile: 0 to 1.

    Raises:
        UserError: NaN or infinite features, or too few images.
    """
    if not 0 < quantile < 1:
        raise ValueError(f"quantile={quantile}: it must be between 0 and 1")
    real = check_features(real, "real features", max(2, math.ceil(1 / quantile)))
    nearest_distances = np.sqrt(nearest_squared(real, None, 1)[1][:, 0])
    return float(np.quantile(nearest_distances, quantile))


def duplicates(features: np.ndarray, *, batch: int, threshold: float) -> Duplicates:
    """Counts duplicates among generated images.

    Args:
        features: [N, D] of images that were drawn independently. With N samples, supports up to the order of
            N^2 can be told from infinite ones.
        batch: s, 2 to N, for `collision_share`; the first N // s * s samples are cut into batches.
        threshold: distance up to which two images are duplicates, at least 0; from `duplicate_threshold`.

    Raises:
        UserError: NaN or infinite features, or fewer than s samples.
    """
    if batch < 2 or not 0 <= threshold < math.inf:
        raise ValueError(f"batch={batch}, threshold={threshold}: a batch is at least 2, a threshold from 0")
    features = check_features(features, "generated features", max(3, batch))
    size, num_batches = len(features), len(features) // batch
    partners, collided = np.zeros(size, np.int64), np.zeros(num_batches, bool)
    limits = np.full(size, threshold**2)
    for tile in tiles(features):
        i, j = tile.pairs_within(limits, strict=False)
        i, j = i[i < j], j[i < j]
        partners += np.bincount(i, minlength=size) + np.bincount(j, minlength=size)
        together = i[(i // batch == j // batch) & (i // batch < num_batches)] // batch
        collided[together] = True
    num_pairs = int(partners.sum()) // 2
    rate, rate_error, rate_at_most = _rate(partners)
    return Duplicates(
        batch=batch,
        num_batches=num_batches,
        collision_share=float(collided.mean()),
        num_pairs=num_pairs,
        support=1 / rate if num_pairs else math.inf,
        support_error=rate_error / rate**2 if num_pairs else math.inf,
        support_at_least=1 / rate_at_most,
        half_batch=float(half_batch(1 / rate)) if num_pairs else math.inf,
    )


def half_batch(support: float) -> int:
    """The smallest s for which s draws from `support` equally likely images collide with probability >= 1/2.

    23 for 365; sqrt(2 ln 2 support) and a little for large supports.
    """
    if not 1 <= support < math.inf:
        raise ValueError(f"support={support}: it must be finite and at least 1")
    # Start below the solution, which is sqrt(2 ln 2 n) and a little, and go on one by one.
    size = max(1, math.floor(0.9 * math.sqrt(2 * math.log(2) * support)) - 2)
    all_differ = float(np.exp(np.log1p(-np.arange(1, size) / support).sum()))
    while all_differ > 0.5:
        all_differ *= max(0.0, 1 - size / support)
        size += 1
    return size


def _rate(partners: np.ndarray) -> tuple[float, float, float]:
    """The share of pairs that are duplicates, its standard error, and its upper bound at 95 %.

    A U-statistic of order 2 (Hoeffding 1948): its variance is 2 / (N (N - 1)) [2 (N - 2) z1 + z2], where z2
    = r (1 - r) and z1 is the covariance of two pairs that share a sample. z1 is 0 for equally likely images.

    Args:
        partners: how many duplicates each sample has, int64 [N].
    """
    size = len(partners)
    num_pairs = partners.sum() / 2
    possible = size * (size - 1) / 2
    rate = num_pairs / possible
    both = (partners * (partners - 1)).sum() / (size * (size - 1) * (size - 2))
    shared = max(0.0, both - rate**2)
    error = math.sqrt((2 * (size - 2) * shared + rate * (1 - rate)) / possible)
    # The normal bound fails for few pairs: there the Poisson bound (Wilson and Hilferty 1931), 2.97 for none.
    more = num_pairs + 1
    poisson = more * (1 - 1 / (9 * more) + _ONE_SIDED_95 / (3 * math.sqrt(more))) ** 3
    return rate, error, min(1.0, max(poisson / possible, rate + _ONE_SIDED_95 * error))
