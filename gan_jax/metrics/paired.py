"""Distances between a picture and its truth: L1, PSNR and SSIM, of all channels or of the luma alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from gan_jax.utils.errors import UserError

WINDOW = 11
SIGMA = 1.5
K1, K2 = 0.01, 0.03
_LUMA = np.array([65.481, 128.553, 24.966]) / 255  # of R, G, B in 0 to 255


def l1(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """mean |a - b| / 255 over the pixels and channels of each pair: float64 [N], in [0, 1].

    Args:
        a: [N, H, W, C] in 0 to 255, any number type.
        b: likewise.

    Raises:
        UserError: values that are NaN or infinite.
        ValueError: the shapes are not one [N, H, W, C].
    """
    return _each(lambda x, y: np.abs(x - y).mean() / 255, a, b)


def psnr(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio of each pair, 10 log10(255^2 / mean (a - b)^2) dB: float64 [N].

    The mean is over pixels and channels together. Infinite for equal pictures; what a mean over pictures
    makes of those is the caller's choice.

    Args and errors: as `l1`.
    """

    def decibels(x: np.ndarray, y: np.ndarray) -> float:
        error = ((x - y) ** 2).mean()
        return 10 * np.log10(255**2 / error) if error else np.inf

    return _each(decibels, a, b)


def ssim(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Structural similarity of each pair: float64 [N], in [-1, 1]; 1 for equal pictures.

    Wang, Bovik, Sheikh and Simoncelli 2004, "Image quality assessment: from error visibility to structural
    similarity", equation 13: an 11x11 Gaussian window of standard deviation 1.5, the mean over all places
    where it fits wholly, K1 = 0.01, K2 = 0.03 and a range of 255. Of several channels the mean. It is what
    scikit-image's structural_similarity gives with gaussian_weights=True, use_sample_covariance=False and
    data_range=255.

    Args and errors: as `l1`; a UserError too where a picture is smaller than the window.
    """
    if np.ndim(a) == 4 and min(np.shape(a)[1:3]) < WINDOW:
        raise UserError(
            f"SSIM compares windows of {WINDOW} x {WINDOW} pixels, and these pictures are "
            f"{a.shape[1]} x {a.shape[2]}: enlarge them, or choose another metric"
        )
    return _each(_similarity, a, b)


def luma(images: np.ndarray) -> np.ndarray:
    """Y of ITU-R BT.601 as MATLAB's rgb2ycbcr has it, 16 to 235 and not rounded: float64 [..., H, W, 1].

    Super-resolution is judged on it, with 255 as the peak all the same.

    Args:
        images: [..., H, W, 3], RGB in 0 to 255.

    Raises:
        ValueError: there are not three channels.
    """
    if np.shape(images)[-1:] != (3,):
        raise ValueError(f"the luma is of pictures with 3 channels, not {np.shape(images)}")
    return 16 + (images * _LUMA).sum(axis=-1, keepdims=True)


def cropped(images: np.ndarray, border: int) -> np.ndarray:
    """The pictures [..., H, W, C] without so many rows and columns on each side.

    Raises:
        UserError: nothing is left.
    """
    height, width = images.shape[-3:-1]
    if border < 0 or 2 * border >= min(height, width):
        raise UserError(f"border={border}: nothing is left of pictures of {height} x {width}")
    return images[..., border : height - border, border : width - border, :]


def _each(compare: Callable[..., float], a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """One pair at a time, in float64: a variance is the difference of two means of squares."""
    if np.shape(a) != np.shape(b) or np.ndim(a) != 4:
        raise ValueError(f"expected two arrays of one shape [N, H, W, C], got {np.shape(a)}, {np.shape(b)}")
    found = np.array([compare(np.float64(x), np.float64(y)) for x, y in zip(a, b, strict=True)])
    if np.isnan(found).any():
        raise UserError("pictures with NaN or infinite values cannot be compared: did the generator diverge?")
    return found


def _similarity(a: np.ndarray, b: np.ndarray) -> float:
    """SSIM of two pictures [H, W, C]."""
    c1, c2 = (K1 * 255) ** 2, (K2 * 255) ** 2
    mean_a, mean_b = _window_means(a), _window_means(b)
    product, squares = mean_a * mean_b, mean_a**2 + mean_b**2
    covariance = _window_means(a * b) - product
    variances = _window_means(a**2 + b**2) - squares
    terms = (2 * product + c1) * (2 * covariance + c2) / ((squares + c1) * (variances + c2))
    return float(terms.mean())


def _window_means(image: np.ndarray) -> np.ndarray:
    """Gaussian-weighted means in all windows of [H, W, C]: [H - 10, W - 10, C]."""
    half = WINDOW // 2
    weights = np.exp(-(np.arange(-half, half + 1) ** 2) / (2 * SIGMA**2))
    weights /= weights.sum()
    for axis in (0, 1):
        image = ndimage.correlate1d(image, weights, axis=axis)
    return image[half:-half, half:-half]
