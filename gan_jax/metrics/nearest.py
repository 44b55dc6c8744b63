"""Tests for memorisation: distances to the nearest training image, compared with those of fresh data.

Fresh images of the data's own distribution have some distance to the training set. A generator that copies
lies nearer. Three views of that, from the same distances d(x) = min over the training set of |x - t|:

- C_T (Meehan, Chaudhuri and Dasgupta 2020, "A Non-Parametric Test to Detect Data-Copying in Generative
  Models", arXiv:2004.05675): in each cell of a partition of the space, the Mann-Whitney statistic U =
  #{(fake, fresh): d(fake) > d(fresh)}, ties half, as a z-score (U - mn / 2) / sd; then the mean over the
  cells, weighted with the share of the fresh images in each. Far below 0: copying. Far above: the fakes miss
  the data. Cells, because a generator can copy here and be off there, which cancels in a single test. Two
  choices differ from the authors' code: d goes to the whole training set, not to its part in the same cell,
  and the standard deviation is corrected for ties.
- Authenticity (Alaa et al. 2021, "How Faithful is your Synthetic Data?", arXiv:2102.08921, section 3.3): the
  share of fakes that are farther from their nearest training image than that one is from its own nearest
  other training image. What fresh data has is below 1 and known (1/3 in one dimension, towards 1/2 in many:
  one less the share of reciprocal neighbours), so it is given beside it.
- The share of fakes that are nearer than a low quantile of the fresh ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gan_jax.metrics.distances import nearest, nearest_squared
from gan_jax.metrics.features import check_features, check_same_width
from gan_jax.utils.errors import UserError

_LEAST_IN_CELL = 20  # fakes, and fresh images, for the z-score to be near normal
_FRESH_PER_CELL = 100  # on average, where the number of cells is not given
_MOST_CELLS = 20
_ROUNDS = 10  # of k-means


@dataclass(frozen=True)
class Memorisation:
    """Results of `memorisation`; in brackets what fresh data gives.

    Attributes:
        baseline: what stands for fresh data: "held_out", or "train" (see `memorisation`).
        close_share: share of the fakes nearer to the training set than the `quantile` of the fresh
            (`quantile`).
        quantile: as given.
        median_ratio: median distance of the fakes over that of the fresh (1); 0 for copies.
        farther: P(d(fake) > d(fresh)) + P(equal) / 2 (0.5); 0 for copies.
        z: Mann-Whitney z-score of `farther` without cells (0, standard deviation 1). Grows with the samples.
        c_t: weighted mean of the z-scores of the cells (0, standard deviation 1 or less).
        num_cells: cells with enough images, which `c_t` is over.
        authenticity: share of authentic fakes (`authenticity_fresh`); 0 for copies.
        authenticity_fresh: the same for the fresh images.
    """

    baseline: Literal["held_out", "train"]
    close_share: float
    quantile: float
    median_ratio: float
    farther: float
    z: float
    c_t: float
    num_cells: int
    authenticity: float
    authenticity_fresh: float


def nearest_training(fake: np.ndarray, train: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest training images of each fake, to be looked at side by side.

    Args:
        fake: features [N, D].
        train: features [M, D].
        k: 1 to M.

    Returns:
        Indices into the training set, int64 [N, k], and distances, float64 [N, k], nearest first.

    Raises:
        UserError: NaN or infinite features, or fewer than k training images.
    """
    fake = check_features(fake, "generated features")
    return nearest(fake, check_features(train, "training features", k), k)


def memorisation(
    fake: np.ndarray,
    train: np.ndarray,
    held_out: np.ndarray | None = None,
    *,
    quantile: float = 0.05,
    num_cells: int | None = None,
    seed: int = 0,
) -> Memorisation:
    """Compares the distances of fakes and of fresh images to the training set.

    Without held-out images each training image stands for a fresh one, with its distance to the others. That
    has the right distribution, of N - 1 instead of N, but these distances depend on one another, so `z` and
    `c_t` are spread somewhat more than 1; and near copies within the training set make the bar for copying
    lower.

    Args:
        fake: features [M, D]; at least 20.
        train: features [N, D] of what the generator was trained on, all of it: copies of what is left out
            are not found.
        held_out: features [n, D] of images of the same distribution that were not trained on; at least 20.
        quantile: of the fresh distances, between 0 and 1, for `close_share`.
        num_cells: cells of C_T, found by k-means on the training set; None: one for each 100 fresh images, 1
            to 20.
        seed: of k-means.

    Raises:
        UserError: NaN or infinite features, too few images, no cell with 20 fakes and 20 fresh images, or
            half of the fresh images lie exactly in the training set.
    """
    if not 0 < quantile < 1 or (num_cells is not None and num_cells < 1):
        raise ValueError(f"quantile={quantile}, num_cells={num_cells}: expected 0 to 1, and at least 1")
    fake = check_features(fake, "generated features", _LEAST_IN_CELL)
    train = check_features(train, "training features", 2 if held_out is not None else _LEAST_IN_CELL)
    fresh = train if held_out is None else check_features(held_out, "held-out features", _LEAST_IN_CELL)
    check_same_width(fake, train)
    check_same_width(fresh, train)

    fake_near, fake_squared = (a[:, 0] for a in nearest_squared(fake, train, 1))
    fresh_near, fresh_squared = (
        a[:, 0] for a in nearest_squared(fresh, None if held_out is None else train, 1)
    )
    _refuse_known(fresh_squared, held_out is None)
    cells = num_cells or min(_MOST_CELLS, max(1, len(fresh) // _FRESH_PER_CELL))
    centres = cell_centres(train, cells, seed)
    c_t, used = _c_t(
        fake_squared, _cells_of(fake, centres), fresh_squared, _cells_of(fresh, centres), len(centres)
    )
    farther, z = mann_whitney(fake_squared, fresh_squared)
    return Memorisation(
        baseline="train" if held_out is None else "held_out",
        close_share=float((fake_squared < np.quantile(fresh_squared, quantile)).mean()),
        quantile=quantile,
        median_ratio=float(np.median(np.sqrt(fake_squared)) / np.median(np.sqrt(fresh_squared))),
        farther=farther,
        z=z,
        c_t=c_t,
        num_cells=used,
        authenticity=_authenticity(fake_near, fake_squared, train),
        authenticity_fresh=_authenticity(fresh_near, fresh_squared, train),
    )


def _refuse_known(squared: np.ndarray, from_train: bool) -> None:
    known = float((squared == 0).mean())
    if known < 0.5:
        return
    raise UserError(
        f"{known:.0%} of the training images have an exact copy among the others: give held-out images"
        if from_train
        else f"{known:.0%} of the held-out images are in the training set: give images that are not"
    )


def mann_whitney(fake: np.ndarray, fresh: np.ndarray) -> tuple[float, float]:
    """P(fake > fresh) + P(equal) / 2, and its z-score under the hypothesis that both are distributed alike.

    The variance of U = P m n is m n / 12 [(m + n + 1) - sum (t^3 - t) / ((m + n) (m + n - 1))] over groups
    of t equal values (Mann and Whitney 1947; Lehmann 1975, section 1.4). The z-score is 0 where all values
    are equal.

    Args:
        fake: [m].
        fresh: [n].
    """
    m, n = len(fake), len(fresh)
    ordered = np.sort(fresh)
    below = np.searchsorted(ordered, fake, side="left").astype(np.float64)
    u = float((below + np.searchsorted(ordered, fake, side="right")).sum()) / 2
    ties = np.unique(np.concatenate([fake, fresh]), return_counts=True)[1].astype(np.float64)
    variance = m * n / 12 * (m + n + 1 - (ties**3 - ties).sum() / ((m + n) * (m + n - 1)))
    return u / (m * n), (u - m * n / 2) / math.sqrt(variance) if variance > 0 else 0.0


def _c_t(
    fake: np.ndarray, fake_cells: np.ndarray, fresh: np.ndarray, fresh_cells: np.ndarray, num_cells: int
) -> tuple[float, int]:
    """C_T of distances [m] and [n] with the cells they lie in, and the number of cells it is over."""
    total, weights, used = 0.0, 0, 0
    for cell in range(num_cells):
        ours, theirs = fake[fake_cells == cell], fresh[fresh_cells == cell]
        if min(len(ours), len(theirs)) < _LEAST_IN_CELL:
            continue
        total += len(theirs) * mann_whitney(ours, theirs)[1]
        weights += len(theirs)
        used += 1
    if not used:
        raise UserError(
            f"none of the {num_cells} cells holds {_LEAST_IN_CELL} fakes and {_LEAST_IN_CELL} fresh images: "
            "use more images or fewer cells. (If there are plenty, the fakes lie where no data is.)"
        )
    return total / weights, used


def cell_centres(features: np.ndarray, num_cells: int, seed: int) -> np.ndarray:
    """Centres of cells by k-means (Lloyd 1982), from rows drawn at random: float64 [num_cells, D]."""
    features = check_features(features, "training features", num_cells)
    start = np.random.default_rng(seed).choice(len(features), num_cells, replace=False)
    centres = features[np.sort(start)].astype(np.float64)
    for _ in range(_ROUNDS if num_cells > 1 else 0):
        cells = _cells_of(features, centres)
        for cell in np.unique(cells):  # a centre without rows stays where it is
            centres[cell] = features[cells == cell].mean(axis=0, dtype=np.float64)
    return centres


def _cells_of(features: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The nearest centre of each row: int64 [N]."""
    return nearest_squared(features, centres, 1)[0][:, 0]


def _authenticity(near: np.ndarray, squared: np.ndarray, train: np.ndarray) -> float:
    """The share of samples farther from their nearest training image than that is from its nearest other one.

    The samples may be training images themselves: where one is its neighbour's nearest other, the distances
    are equal, so that it is not farther, as it is not where the nearest other but it is beyond.

    Args:
        near: the nearest training image of each sample, [N].
        squared: the squared distance to it.
        train: features.
    """
    images, which = np.unique(near, return_inverse=True)
    index, others = nearest_squared(train[images], train, 2)
    nearest_other = np.where(index == images[:, None], np.inf, others).min(axis=1)
    return float((squared > nearest_other[which]).mean())
