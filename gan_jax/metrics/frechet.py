"""Fréchet distance between two sets of features (FID), whole and within classes.

Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
arXiv:1706.08500, equation 6: the Fréchet distance of two Gaussians with the means and
covariances of two sets of features,

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)),

called FID where the features are Inception's. Within classes it is the intra FID of Miyato and Koyama 2018,
arXiv:1802.05637. Compared with pytorch-fid 0.3.0, torch-fidelity 0.4.0 and clean-fid 0.1.35.

Deliberate deviation: the codes above take a root, or the eigenvalues, of the product C1 C2, which is not
symmetric; where it is singular they lose half of the digits, turn complex or add 1e-6 to the diagonal. Here
each covariance is a product F^T F, and tr (C1 C2)^(1/2) is the nuclear norm of F1 F2^T, the sum of its
singular values: never complex, never negative, and right to the last digits for singular ones too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gan_jax.metrics.features import check_features, check_same_width
from gan_jax.metrics.moments import Moments, moments_of
from gan_jax.utils.checks import check_count
from gan_jax.utils.errors import UserError


class _Gaussian(NamedTuple):
    """mean float64 [D], the covariance's trace, and a factor F float64 [r, D] with F^T F the covariance."""

    mean: np.ndarray
    trace: float
    factor: np.ndarray


def frechet_distance(a: Moments, b: Moments) -> float:
    """The squared Fréchet (2-Wasserstein) distance of the Gaussians with these moments, at least 0.

    The factors are roots by symmetric eigen-decomposition. Eigenvalues below D * 2.2e-16 * the largest are
    the rounding of 0 and count as 0: their roots, near 1e-8, would add up over the null space of a covariance
    with fewer samples than dimensions. Rounding below 0, where both sides are equal, is clamped to 0; what
    remains of it above 0 is below 1e-13 of the covariances' traces.

    Raises:
        UserError: fewer than 2 samples.
        ValueError: the numbers of features differ.
    """
    check_same_width(a.scatter, b.scatter)
    _check_samples(a.count, b.count)
    return _distance(_by_eigenvalues(a), _by_eigenvalues(b))


def fid(real: np.ndarray, fake: np.ndarray) -> float:
    """The Fréchet distance of two sets of features; symmetric, at least 0.

    It is biased upwards. Two sets of N samples each from one Gaussian should be 0 apart. Measured for
    D = 256, as a share of the covariance's trace (D / 2N, to first order, for equal eigenvalues):

        N                               D/8    D/2     D     2 D    10 D    25 D    100 D
        equal eigenvalues              1.48   0.88  0.51   0.26   0.051   0.020   0.0051
        eigenvalue k falls as 1/k      0.88   0.42  0.23   0.12   0.023   0.009   0.0023

    So compare scores of the same N only. The minimum for D features is N above D, or the covariances are
    singular; take at least 10 D to compare models, and to report 25 D (about 50,000 for Inception's 2048, the
    papers' number). With fewer samples take `gan_jax.metrics.kernel_distance.kid`, which is unbiased.

    A side with no more samples than features is factored by its centred samples, which is quicker than by
    eigenvalues and needs no threshold; the result is that of `frechet_distance` up to rounding.

    Args:
        real: float32 [N, D], N at least 2.
        fake: float32 [M, D], M at least 2.

    Raises:
        UserError: fewer than 2 samples, NaN or infinite entries.
        ValueError: the numbers of features differ, or not [N, D].
    """
    real, fake = check_features(real, "real features"), check_features(fake, "fake features")
    check_same_width(real, fake)
    _check_samples(len(real), len(fake))
    return _distance(_gaussian(real), _gaussian(fake))


@dataclass(frozen=True)
class IntraClassFID:
    """Fréchet distances within classes.

    Attributes:
        per_class: [K].
        mean: of them, each class with the same weight.
    """

    per_class: tuple[float, ...]
    mean: float


def intra_class_fid(
    real: np.ndarray, real_labels: np.ndarray, fake: np.ndarray, fake_labels: np.ndarray, num_classes: int
) -> IntraClassFID:
    """The FID between the reals and the fakes of each class.

    The bias that `fid` tells of is that of the samples per class: compare equal numbers of them only.

    Args:
        real: float32 [N, D].
        real_labels: integers [N] in 0 to num_classes - 1.
        fake: float32 [M, D].
        fake_labels: the classes that the fakes were asked for, integers [M].
        num_classes: K.

    Raises:
        UserError: a class has fewer than 2 samples on a side; NaN or infinite entries.
        ValueError: labels of another shape or outside the classes; otherwise as in `fid`.
    """
    check_count(num_classes, "num_classes")
    real, fake = check_features(real, "real features"), check_features(fake, "fake features")
    real_classes = _checked_labels(real_labels, len(real), num_classes, "real_labels")
    fake_classes = _checked_labels(fake_labels, len(fake), num_classes, "fake_labels")
    _check_classes(real_classes, fake_classes, num_classes)
    per_class = tuple(fid(real[real_classes == k], fake[fake_classes == k]) for k in range(num_classes))
    return IntraClassFID(per_class, float(np.mean(per_class)))


def _distance(a: _Gaussian, b: _Gaussian) -> float:
    """Equation 6."""
    root_trace = np.linalg.svd(a.factor @ b.factor.T, compute_uv=False).sum()
    distance = np.sum(np.square(a.mean - b.mean)) + a.trace + b.trace - 2.0 * root_trace
    return max(0.0, float(distance))


def _by_eigenvalues(moments: Moments) -> _Gaussian:
    """F = sqrt(eigenvalues) * eigenvectors^T, without the zeros."""
    covariance = moments.covariance
    values, vectors = np.linalg.eigh(covariance)
    kept = values > len(values) * np.finfo(np.float64).eps * values[-1]
    factor = np.sqrt(values[kept])[:, None] * vectors[:, kept].T
    return _Gaussian(moments.mean, float(np.trace(covariance)), factor)


def _gaussian(features: np.ndarray) -> _Gaussian:
    """By the cheaper of the two factors."""
    if len(features) > features.shape[1]:
        return _by_eigenvalues(moments_of(features))
    samples = features.astype(np.float64)
    mean = samples.mean(axis=0)
    factor = (samples - mean) / np.sqrt(len(samples) - 1)
    return _Gaussian(mean, float(np.sum(np.square(factor))), factor)


def _check_samples(real: int, fake: int) -> None:
    """UserError unless both sides have a covariance."""
    if min(real, fake) < 2:
        raise UserError(
            f"the Fréchet distance needs at least 2 samples on each side, and got {real} and {fake}"
        )


def _checked_labels(labels: np.ndarray, count: int, num_classes: int, name: str) -> np.ndarray:
    """The labels as an array; ValueError unless integers [count] of the classes."""
    array = np.asarray(labels)
    if array.shape != (count,) or array.dtype.kind not in "iu":
        raise ValueError(f"{name} must be integers [{count}], not {array.dtype} {list(array.shape)}")
    if count and not 0 <= array.min() <= array.max() < num_classes:
        raise ValueError(f"{name} are in {array.min()} to {array.max()}: expected 0 to {num_classes - 1}")
    return array


def _check_classes(real: np.ndarray, fake: np.ndarray, num_classes: int) -> None:
    """UserError unless each class has 2 samples on both sides; it names the first few that lack them."""
    reals, fakes = np.bincount(real, minlength=num_classes), np.bincount(fake, minlength=num_classes)
    lacking = np.flatnonzero(np.minimum(reals, fakes) < 2)
    if not len(lacking):
        return
    named = "; ".join(f"class {k}: {reals[k]} real, {fakes[k]} fake" for k in lacking[:5])
    more = f"; and {len(lacking) - 5} more" if len(lacking) > 5 else ""
    raise UserError(
        f"{named}{more}. Intra-class FID needs at least 2 of each class on both sides: use more images, "
        "or images of every class"
    )
