"""What few training seeds can tell: intervals, bands over seeds, paired comparisons.

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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

FEW = 5  # below so many values a 95 % interval is their range
_EXACT = 20  # differences whose signs are all tried: 2^19 sums, as both signs of all give the same size
_DRAWN = 100_000  # sign patterns drawn where there are more
_BLOCK = 2**21  # numbers drawn at once: memory stays small


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
    means = _resampled_means(around, resamples, np.random.default_rng(seed))
    tail = expanded_tail(confidence, n)
    low, high = np.quantile(means, [tail, 1.0 - tail]) + numbers[0]
    return Interval(float(around.mean() + numbers[0]), float(low), float(high), n)


def expanded_tail(confidence: float, n: int) -> float:
    """alpha' / 2: the share of the resampled means that the interval leaves out on each side.

    Args:
        confidence: 1 - alpha, in (0, 1).
        n: values, at least 2.
    """
    quantile = student_quantile((1.0 - confidence) / 2.0, n - 1)
    return NormalDist().cdf(math.sqrt(n / (n - 1)) * quantile)


def student_quantile(probability: float, degrees: int) -> float:
    """The quantile of Student's t distribution, by bisection of its distribution function.

    Args:
        probability: in (0, 1).
        degrees: of freedom, an integer of at least 1.
    """
    if not 0.0 < probability < 1.0 or degrees < 1:
        raise ValueError(f"probability={probability}, degrees={degrees}: expected (0, 1) and at least 1")
    # In the angle theta = atan(t / sqrt(degrees)) the range is bounded.
    low, high = -math.pi / 2, math.pi / 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _student_cdf(middle, degrees) < probability else (low, middle)
    return math.sqrt(degrees) * math.tan((low + high) / 2)


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


def paired(a: Mapping[int, float], b: Mapping[int, float], better: str, seed: int = 0) -> Paired:
    """Compares two variants seed by seed.

    Args:
        a: finite value of each seed.
        b: likewise; seeds that only one of them has are left out.
        better: "higher" or "lower" values; with another word nobody wins.
        seed: of what is drawn at random.
    """
    common = sorted(a.keys() & b.keys())
    differences = _vector([a[key] - b[key] for key in common])
    sign = {"higher": 1.0, "lower": -1.0}.get(better, 0.0)
    return Paired(
        difference=bootstrap(differences, seed=seed),
        wins=int((sign * differences > 0).sum()),
        ties=int((differences == 0).sum()),
        n=len(common),
        p_value=sign_flip(differences, seed) if common else math.nan,
    )


def sign_flip(differences: Sequence[float] | np.ndarray, seed: int = 0) -> float:
    """Two-sided p-value of the permutation test of paired differences (Fisher's randomisation test).

    If the two variants were alike, each difference would be as likely as its negative. p is the share of
    sign patterns whose sum is at least as large in size as the one seen. It is exact for up to 20
    differences that are not 0; beyond that (1 + hits) / (1 + 100,000) over patterns drawn at random, which
    counts the one seen (Phipson and Smyth 2010, arXiv:1603.05766). The least possible p of n differences is
    2 / 2^n (exact).

    Args:
        differences: finite numbers [n].
        seed: of the patterns that are drawn.
    """
    numbers = _vector(differences)
    numbers = numbers[numbers != 0]  # their sign changes no sum
    if not len(numbers):
        return 1.0
    numbers = numbers / np.abs(numbers).max()
    seen = abs(numbers.sum()) - 1e-12 * np.abs(numbers).sum()  # sums that differ by rounding are equal
    if len(numbers) <= _EXACT:
        sums = numbers[:1]  # the first keeps its sign: the other half mirrors this one
        for difference in numbers[1:]:
            sums = np.concatenate([sums + difference, sums - difference])
        return float((np.abs(sums) >= seen).mean())
    sizes = _in_blocks(
        _DRAWN, len(numbers), lambda rng, shape: (2.0 * rng.integers(2, size=shape) - 1.0) @ numbers, seed
    )
    return float((1 + (np.abs(sizes) >= seen).sum()) / (1 + _DRAWN))


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


def _resampled_means(numbers: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    n = len(numbers)
    return _in_blocks(resamples, n, lambda rng, shape: numbers[rng.integers(n, size=shape)].mean(axis=1), rng)


def _in_blocks(
    rows: int,
    width: int,
    draw: Callable[[np.random.Generator, tuple[int, int]], np.ndarray],
    seed: int | np.random.Generator,
) -> np.ndarray:
    """`rows` numbers, of which `draw` makes each from a row of `width` random ones, some rows at a time."""
    rng = np.random.default_rng(seed)
    most = max(1, _BLOCK // width)
    return np.concatenate([draw(rng, (min(most, rows - done), width)) for done in range(0, rows, most)])


def _student_cdf(angle: float, degrees: int) -> float:
    """P(T <= sqrt(degrees) tan(angle)): Abramowitz and Stegun 1964, equations 26.7.3 and 26.7.4."""
    cosine, sine = math.cos(angle), math.sin(angle)
    odd = degrees % 2
    term, total = (cosine, 0.0) if odd else (1.0, 0.0)
    for k in range(2 if odd else 1, degrees, 2):
        total += term
        term *= cosine * cosine * k / (k + 1)
    inside = 2.0 / math.pi * (angle + sine * total) if odd else sine * total
    return (1.0 + inside) / 2.0
