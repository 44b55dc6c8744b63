"""Mode coverage: how many of the known modes a generator reaches, and how evenly.

The protocol of the stacked-MNIST experiments: a classifier labels generated samples, and the number of
labels that occur is the number of modes; the other figure is KL(generated || reference) in nats.

- Unrolled GAN (Metz et al. 2016, arXiv:1611.02163, section 3.3.1): 1000 modes, 25,600 samples.
- VEEGAN (Srivastava et al. 2017, arXiv:1705.07761) and PacGAN (Lin et al. 2017, arXiv:1712.04086): 1000
  modes, 26,000 samples (in the published configuration of PacGAN). Their code takes 1/1000 for every mode as
  the reference, though the digits of MNIST are not quite equally frequent (KL of
  the data itself: 0.004).

The direction is the one that does not punish a missed mode by itself: a mode without samples adds 0 ln 0 =
0, and what it costs is that the others have too many. So the value is finite, 0 to ln(num_modes) for a
uniform reference. Where the reference is 0 and a sample fell, it is infinite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gan_jax.utils.errors import UserError


@dataclass(frozen=True)
class ModeCoverage:
    """Results of `mode_coverage`.

    Attributes:
        modes: modes with at least one sample.
        num_modes: modes there are.
        kl: KL(generated || reference) in nats, over the samples that belong to a mode; infinity where none
            does. A perfect generator is not at 0: n samples of it give about (num_modes - 1) / (2 n), 0.0195
            for 25,600 of 1000 modes.
        high_quality: share of the samples that belong to a mode, 0 to 1.
        num_samples: all samples.
    """

    modes: int
    num_modes: int
    kl: float
    high_quality: float
    num_samples: int


def mode_coverage(labels: np.ndarray, num_modes: int, reference: np.ndarray | None = None) -> ModeCoverage:
    """Modes reached and the KL divergence of the generated histogram from the reference.

    Args:
        labels: integers [N], 0 to num_modes - 1; -1 for a sample that belongs to no mode, such as one
            farther than three standard deviations from every centre of a Gaussian grid ("high-quality
            samples" in VEEGAN), or one of which the classifier is not sure.
        num_modes: K.
        reference: [K], counts of the real labels or probabilities; None: uniform.

    Raises:
        UserError: no samples.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"expected integer labels [N], got {labels.dtype} {labels.shape}")
    if len(labels) == 0:
        raise UserError("mode coverage: there are no samples; at least 1 is needed")
    if labels.min() < -1 or labels.max() >= num_modes:
        raise ValueError(f"labels from {labels.min()} to {labels.max()}: expected -1 to {num_modes - 1}")
    counts = np.bincount(labels[labels >= 0], minlength=num_modes)
    return ModeCoverage(
        modes=int(np.count_nonzero(counts)),
        num_modes=num_modes,
        kl=_kl(counts, _probabilities(reference, num_modes)) if counts.any() else math.inf,
        high_quality=float(counts.sum() / len(labels)),
        num_samples=len(labels),
    )


def expected_modes(num_samples: int, num_modes: int) -> float:
    """The modes that n samples of K equally likely modes reach on average: K (1 - (1 - 1 / K)^n)."""
    return num_modes * (1 - (1 - 1 / num_modes) ** num_samples)


def stacked_labels(digits: np.ndarray) -> np.ndarray:
    """The mode of a stacked digit: 100 a + 10 b + c for digits [N, 3] of its channels; int64 [N], 0 to 999.

    A row with a -1, a channel of which the classifier is not sure, becomes -1.
    """
    digits = np.asarray(digits)
    if digits.ndim != 2 or digits.shape[1] != 3 or not np.issubdtype(digits.dtype, np.integer):
        raise ValueError(f"expected integer digits [N, 3], got {digits.dtype} {digits.shape}")
    if digits.size and (digits.min() < -1 or digits.max() > 9):
        raise ValueError(f"digits from {digits.min()} to {digits.max()}: expected 0 to 9, or -1")
    joined = digits.astype(np.int64) @ np.array([100, 10, 1])
    return np.where((digits < 0).any(axis=1), -1, joined)


def _probabilities(reference: np.ndarray | None, num_modes: int) -> np.ndarray:
    if num_modes < 1:
        raise ValueError(f"num_modes={num_modes}: it must be at least 1")
    if reference is None:
        return np.full(num_modes, 1 / num_modes)
    weights = np.asarray(reference, np.float64)
    if weights.shape != (num_modes,):
        raise ValueError(f"reference of shape {weights.shape}: expected [{num_modes}]")
    if not np.isfinite(weights).all() or weights.min() < 0 or weights.sum() == 0:
        raise ValueError("the reference must be finite and not negative, with a sum above 0")
    return weights / weights.sum()


def _kl(counts: np.ndarray, reference: np.ndarray) -> float:
    """KL(counts / their sum || reference) in nats; 0 ln 0 is 0."""
    occurring = counts > 0
    if (reference[occurring] == 0).any():
        return math.inf
    share = counts[occurring] / counts.sum()
    return max(0.0, float((share * np.log(share / reference[occurring])).sum()))
