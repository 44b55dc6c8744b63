"""Inception score.

Salimans et al. 2016, "Improved Techniques for Training GANs", arXiv:1606.03498, section 4: exp(mean over x of
KL(p(y | x) || p(y))), of a classifier's logits for generated images. 1 where the classifier says the same of
all images, K where it is sure of each and all K classes come equally often. It never looks at real images.
Compared with torch-fidelity 0.4.0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gan_jax.metrics.features import check_features
from gan_jax.utils.checks import check_count
from gan_jax.utils.errors import UserError

_BLOCK = 4096  # samples that are float64 at a time


@dataclass(frozen=True)
class InceptionScore:
    """Scores between 1 and the number of classes; higher is better.

    Attributes:
        whole: of all samples together.
        mean: over splits; what papers report. It tends to be below `whole`: p(y) is of fewer samples.
        std: over splits, divided by their number as in the authors' code; 0 for one split.
    """

    whole: float
    mean: float
    std: float


def inception_score(logits: np.ndarray, splits: int = 10) -> InceptionScore:
    """The inception score of a whole set and of contiguous splits of it.

    Split i is the samples from i N // splits to (i + 1) N // splits, as in the authors' code: samples that
    are sorted by class must be shuffled first. Softmax and sums are float64 on the host. Published numbers
    are of 50,000 samples in 10 splits; fewer samples tend to give a lower score.

    Args:
        logits: float32 [N, K], not probabilities.
        splits: how many, at most N.

    Raises:
        UserError: fewer samples than splits, NaN or infinite entries.
        ValueError: not [N, K], or no positive number of splits.
    """
    logits = check_features(logits, "logits")
    check_count(splits, "splits")
    count = len(logits)
    if count < splits:
        fewer = f", or splits={count}" if count else ""
        raise UserError(f"{count} samples cannot be in {splits} splits: give more samples{fewer}")
    parts = [logits[i * count // splits : (i + 1) * count // splits] for i in range(splits)]
    sums = [_sums(part) for part in parts]
    scores = [_score(*of_part, len(part)) for of_part, part in zip(sums, parts, strict=True)]
    whole = _score(sum(entropy for entropy, _ in sums), np.sum([p for _, p in sums], axis=0), count)
    return InceptionScore(whole, float(np.mean(scores)), float(np.std(scores)))


def _sums(logits: np.ndarray) -> tuple[float, np.ndarray]:
    """Over the samples, the sum of sum_y p(y | x) log p(y | x), and that of p(y | x), float64 [K]."""
    negative_entropy, probability = 0.0, np.zeros(logits.shape[1])
    for start in range(0, len(logits), _BLOCK):
        log_p = logits[start : start + _BLOCK].astype(np.float64)
        log_p -= log_p.max(axis=1, keepdims=True)
        log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
        p = np.exp(log_p)
        negative_entropy += float(np.sum(p * log_p))
        probability += p.sum(axis=0)
    return negative_entropy, probability


def _score(negative_entropy: float, probability: np.ndarray, count: int) -> float:
    """exp of the mean divergence, which is the entropy of p(y) less the mean entropy of p(y | x).

    Args:
        negative_entropy, probability: from `_sums`.
        count: how many samples they are of.
    """
    marginal = probability[probability > 0.0] / count  # 0 log 0 is 0
    return float(np.exp(negative_entropy / count - np.sum(marginal * np.log(marginal))))
