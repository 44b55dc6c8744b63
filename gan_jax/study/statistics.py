"""Statistics over few training seeds: confidence intervals, quantiles, paired tests, Holm's correction.

The interval of a mean is the bootstrap's *expanded percentile interval* (Hesterberg 2015, "What teachers
should know about the bootstrap", doi:10.1080/00031305.2015.1089789). The plain percentile interval is too
narrow for few values: by a factor of about sqrt((n - 1) / n), and it takes the normal's quantiles where those
of Student's t belong. The remedy is to widen the confidence level before the percentiles are taken:

    alpha' / 2 = Phi( sqrt(n / (n - 1)) t_{n-1}(alpha / 2) )

It is as wide as a t interval for normal values and follows the skew of others. BCa corrects for skew and
not for the width. How often 95 % intervals held the true mean, in 4000 simulated studies each, of 4000
resamples:

| distribution              | n  | percentile | BCa  | expanded |
|---------------------------|----|------------|------|----------|
| normal                    | 5  | 0.84       | 0.85 | 0.92     |
| normal                    | 10 | 0.90       | 0.90 | 0.94     |
| normal                    | 20 | 0.92       | 0.92 | 0.94     |
| exponential               | 5  | 0.78       | 0.79 | 0.87     |
| exponential               | 10 | 0.86       | 0.88 | 0.90     |
| exponential               | 20 | 0.90       | 0.90 | 0.91     |
| 8, or 7 with chance 1/5   | 5  | 0.66       | 0.67 | 0.67     |
| 8, or 7 with chance 1/5   | 10 | 0.88       | 0.88 | 0.88     |
| 8, or 7 with chance 1/5   | 20 | 0.92       | 0.98 | 0.96     |

No interval sees what the seeds did not show: with equal values it has no width, and below five values it is
their range, which holds the centre of a symmetric distribution in only 50, 75 and 88 % of the studies for
n = 2, 3 and 4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.special
import scipy.stats

FEW = 5  # below so many values a 95 % interval is their range
_EXACT = 20  # differences whose signs are all tried: 2^19 sums, as both signs of all give the same size
_DRAWN = 100_000  # sign patterns drawn where there are more


@dataclass(frozen=True)
class Interval:
    """A mean and its confidence interval.

    Attributes:
        mean: of the values; NaN without any.
        low: NaN with fewer than two values: they tell nothing of their spread.
        high: likewise.
        n: values.
    """

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Paired:
    """A comparison of two variants over the seeds that both have.

    Attributes:
        difference: of the means, first minus second.
        wins: seeds in which the first is better.
        ties: seeds in which both are equal.
        n: common seeds.
        p_value: two-sided, see `sign_flip`; NaN without common seeds.
    """

    difference: Interval
    wins: int
    ties: int
    n: int
    p_value: float

    @property
    def share(self) -> float:
        """The share of the seeds in which the first is better; NaN without common seeds."""
        return self.wins / self.n if self.n else math.nan


def bootstrap(
    values: Sequence[float] | np.ndarray, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """The mean and its expanded percentile interval; see the module.

    Args:
        values: finite numbers [n].
        confidence: in (0, 1).
        resamples: draws of n values with replacement, at least 1.
        seed: of the draws; the same seed gives the same interval.

    Raises:
        ValueError: values that are not finite or not a vector, or arguments out of range.
    """
    numbers = _vector(values)
    if not 0.0 < confidence < 1.0 or resamples < 1:
        raise ValueError(f"confidence={confidence}, resamples={resamples}: expected (0, 1) and at least 1")
    n = len(numbers)
    if n < 2:
        return Interval(float(numbers[0]) if n else math.nan, math.nan, math.nan, n)
    # Sums around the first value: exact for equal ones, and no cancellation for large ones.
    around = numbers - numbers[0]
    quantile = scipy.special.stdtrit(n - 1, (1.0 - confidence) / 2.0)
    tail = scipy.special.ndtr(math.sqrt(n / (n - 1)) * quantile)
    low, high = scipy.stats.bootstrap(
        (around,),
        np.mean,
        n_resamples=resamples,
        confidence_level=1.0 - 2.0 * tail,
        method="percentile",
        rng=seed,
    ).confidence_interval
    mean, low, high = (float(x + numbers[0]) for x in (around.mean(), low, high))
    return Interval(mean, low, high, n)


def quantiles(values: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Quantiles over seeds at each step, as for a median and its bands; linear between the sorted values.

    Args:
        values: [S, T], a row per seed; NaN where it has none: left out. Infinity is a value like others,
            so a quantile may be infinite (NaN between the two infinities).
        shares: [Q] in [0, 1]; 0.5 is the median.

    Returns:
        [Q, T]; NaN where no seed has a value.
    """
    values = np.asarray(values, np.float64)
    wanted = np.asarray(shares, np.float64)[:, None]
    if values.ndim != 2 or not ((wanted >= 0.0) & (wanted <= 1.0)).all():
        raise ValueError(f"expected values [S, T] and shares in [0, 1], got {values.shape} and {shares}")
    if not values.size:
        return np.full((len(wanted), values.shape[1]), np.nan)
    ordered = np.sort(values, axis=0)  # NaN last
    place = wanted * np.maximum((~np.isnan(values)).sum(axis=0) - 1, 0)
    lower = np.floor(place).astype(int)
    columns = np.arange(values.shape[1])[None]
    below, above = ordered[lower, columns], ordered[np.ceil(place).astype(int), columns]
    part = place - lower
    with np.errstate(invalid="ignore"):  # 0 times infinity, where both are the same value
        between = (1.0 - part) * below + part * above
    return np.where(below == above, below, between)


def paired(a: Mapping[int, float], b: Mapping[int, float], better: str) -> Paired:
    """Compares two variants seed by seed.

    Args:
        a: finite value of each seed.
        b: likewise; seeds that only one of them has are left out.
        better: "higher" or "lower" values; with another word nobody wins.
    """
    common = sorted(a.keys() & b.keys())
    differences = _vector([a[key] - b[key] for key in common])
    sign = {"higher": 1.0, "lower": -1.0}.get(better, 0.0)
    return Paired(
        difference=bootstrap(differences),
        wins=int((sign * differences > 0).sum()),
        ties=int((differences == 0).sum()),
        n=len(common),
        p_value=sign_flip(differences) if common else math.nan,
    )


def sign_flip(differences: Sequence[float] | np.ndarray, seed: int = 0) -> float:
    """Two-sided p-value of the permutation test of paired differences (Fisher's randomisation test).

    If the two variants were alike, each difference would be as likely as its negative. p is the share of
    sign patterns whose sum is at least as large in size as the one seen. It is exact for up to 20
    differences that are not 0 (`scipy.stats.permutation_test` takes seconds for those); beyond that it is
    SciPy's, over 100,000 patterns drawn at random and the one seen (Phipson and Smyth 2010,
    arXiv:1603.05766). The least possible p of n differences is 2 / 2^n (exact).

    Args:
        differences: finite numbers [n].
        seed: of the patterns that are drawn.
    """
    numbers = _vector(differences)
    numbers = numbers[numbers != 0]  # their sign changes no sum
    if not len(numbers):
        return 1.0
    numbers = numbers / np.abs(numbers).max()
    if len(numbers) > _EXACT:
        drawn = scipy.stats.permutation_test(
            (numbers,), np.sum, permutation_type="samples", vectorized=True, n_resamples=_DRAWN, rng=seed
        )
        return float(drawn.pvalue)
    seen = abs(numbers.sum()) - 1e-12 * np.abs(numbers).sum()  # sums that differ by rounding are equal
    sums = numbers[:1]  # the first keeps its sign: the other half mirrors this one
    for difference in numbers[1:]:
        sums = np.concatenate([sums + difference, sums - difference])
    return float((np.abs(sums) >= seen).mean())


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number (Holm 1979, Scandinavian Journal of Statistics 6(2), 65-70).

    All that end at or below alpha may be called differences, with a chance of at most alpha that any
    of them is none. The k-th smallest of m is multiplied by m - k + 1 and is at least those before it.

    Args:
        p_values: in [0, 1]; NaN, a comparison that could not be made, is not counted and stays NaN.
    """
    made = [index for index, p in enumerate(p_values) if not math.isnan(p)]
    corrected, largest = [math.nan] * len(p_values), 0.0
    for rank, index in enumerate(sorted(made, key=lambda index: p_values[index])):
        largest = max(largest, min(1.0, (len(made) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def _vector(values: Sequence[float] | np.ndarray) -> np.ndarray:
    numbers = np.asarray(values, np.float64)
    if numbers.ndim != 1 or not np.isfinite(numbers).all():
        raise ValueError(f"expected finite numbers [n], got {values!r}")
    return numbers
