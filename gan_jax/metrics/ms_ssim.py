"""Multi-scale structural similarity of pairs of images, and the diversity of a set by it.

Wang, Simoncelli and Bovik 2003, "Multi-scale structural similarity for image quality assessment"; Odena et
al. 2017, arXiv:1610.09585, section 4.2, take its mean over random pairs of a class as a measure of diversity:
high means that a generator makes the same image again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gan_jax.utils.checks import check_count, check_number
from gan_jax.utils.errors import UserError

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of Wang et al. 2003, first the finest scale
WINDOW = 11
SIGMA = 1.5
_K1, _K2 = 0.01, 0.03
_VALUES = 2**20  # of one image array that are compared at a time; about ten float64 copies of them are made


def ms_ssim(a: np.ndarray, b: np.ndarray, data_range: float = 255.0, scales: int | None = None) -> np.ndarray:
    """MS-SSIM of each pair: float64 [N], in [0, 1]; 1 for equal images.

    Equation 7 of Wang et al. 2003: contrast times structure at every scale and luminance at the last, with an
    11x11 Gaussian window of sigma 1.5 (where it fits wholly), K1 = 0.01, K2 = 0.03 and means of 2x2 pixels
    between the scales (an odd last row or column is dropped). Computed per channel, then averaged over the
    channels. A negative mean of contrast times structure counts as 0, which has a power.

    Five scales need a side of 176. Smaller images have as many scales as their smaller side has room for
    windows at, with the weights of the first ones divided by their sum: 2 for 28 and 32, 3 for 64, 4 for 128.
    So compare numbers of one image size only. (Another rule shrinks the window with the image, down to 2x2
    pixels. There 52 % of random pairs of MNIST digits have a negative factor; here 42 %.)

    Args:
        a: [N, H, W, C], any number type.
        b: likewise.
        data_range: the difference of the largest and the smallest possible value: 255 for uint8, 2 for
            images in [-1, 1], which should be moved to [0, 2] because luminance is a ratio.
        scales: how many; None for as many as fit, at most 5.

    Raises:
        UserError: images without any pixel window, or with NaN or infinite values.
        ValueError: the shapes are not one [N, H, W, C]; more scales than fit; no positive range.
    """
    if np.shape(a) != np.shape(b) or np.ndim(a) != 4:
        raise ValueError(f"expected two arrays of one shape [N, H, W, C], got {np.shape(a)}, {np.shape(b)}")
    if check_number(data_range, "data_range") <= 0:
        raise ValueError(f"data_range={data_range!r}: it must be positive")
    most = num_scales(*a.shape[1:3])
    scales = most if scales is None else scales
    check_count(scales, "scales")
    if scales > most:
        raise ValueError(f"scales={scales}: {most} fit into images of {a.shape[1]} x {a.shape[2]}")
    at_once = max(1, _VALUES // max(1, a[0].size)) if len(a) else 1
    parts = [
        _similarity(a[start : start + at_once], b[start : start + at_once], float(data_range), scales)
        for start in range(0, len(a), at_once)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def num_scales(height: int, width: int) -> int:
    """At how many scales, at most 5, an 11x11 window fits into the image.

    Raises:
        UserError: at none.
    """
    side, count = min(height, width), 0
    while side >= WINDOW and count < len(WEIGHTS):
        side, count = side // 2, count + 1
    if not count:
        raise UserError(
            f"MS-SSIM compares windows of {WINDOW} x {WINDOW} pixels, and these are {height} x {width}: "
            "enlarge them, or choose another metric"
        )
    return count


def scale_weights(scales: int) -> np.ndarray:
    """float64 [scales]: the published weights; of fewer than five, divided by their sum."""
    weights = np.array(WEIGHTS[:scales])
    return weights if scales == len(WEIGHTS) else weights / weights.sum()


def _similarity(a: np.ndarray, b: np.ndarray, data_range: float, scales: int) -> np.ndarray:
    """`ms_ssim` of a few pairs."""
    # In float64: a variance is the difference of two means of squares, and float32 leaves it four digits.
    pair = np.stack([np.moveaxis(images, 3, 1).astype(np.float64) for images in (a, b)])
    if not np.isfinite(pair).all():
        raise UserError("MS-SSIM of images with NaN or infinite values: did the generator diverge?")
    result = np.ones(pair.shape[1:3])
    for scale, weight in enumerate(scale_weights(scales)):
        if scale:
            pair = _halved(pair)
        luminance, contrast = _terms(pair[0], pair[1], data_range)
        factor = luminance * contrast if scale == scales - 1 else contrast
        result *= np.maximum(factor.mean((2, 3)), 0.0) ** weight
    return result.mean(1)


def _terms(a: np.ndarray, b: np.ndarray, data_range: float) -> tuple[np.ndarray, np.ndarray]:
    """Luminance, and contrast times structure, in all windows [N, C, H - 10, W - 10] of [N, C, H, W]."""
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    mean_a, mean_b = _window_means(a), _window_means(b)
    product = mean_a * mean_b
    squares = mean_a**2 + mean_b**2
    covariance = _window_means(a * b) - product
    variances = _window_means(a**2 + b**2) - squares
    return (2 * product + c1) / (squares + c1), (2 * covariance + c2) / (variances + c2)


def _window_means(images: np.ndarray) -> np.ndarray:
    """Gaussian-weighted means in all windows of [N, C, H, W]."""
    rows, columns = (_window_matrix(side) for side in images.shape[2:])
    return rows @ (images @ columns.T)


def _window_matrix(side: int) -> np.ndarray:
    """[side - 10, side]: each row is the window at one place. As products they are faster than as a sum."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    window = np.exp(-(offsets**2) / (2 * SIGMA**2))
    window /= window.sum()
    matrix = np.zeros((side - WINDOW + 1, side))
    for place in range(len(matrix)):
        matrix[place, place : place + WINDOW] = window
    return matrix


def _halved(pair: np.ndarray) -> np.ndarray:
    """Means of 2x2 pixels of [..., H, W]; an odd last row or column is dropped."""
    height, width = (side - side % 2 for side in pair.shape[-2:])
    even = pair[..., :height, :width]
    return (even[..., ::2, ::2] + even[..., 1::2, ::2] + even[..., ::2, 1::2] + even[..., 1::2, 1::2]) / 4


@dataclass(frozen=True)
class Diversity:
    """Mean similarity of random pairs; lower is more diverse.

    Attributes:
        mean: of MS-SSIM, in [0, 1]; with labels, the mean of the classes' means.
        standard_error: of `mean`, over the draw of the images and of the pairs.
        pairs: how many pairs were compared.
        scales: of MS-SSIM, see `ms_ssim`.
    """

    mean: float
    standard_error: float
    pairs: int
    scales: int


def ms_ssim_diversity(
    images: np.ndarray,
    *,
    seed: int,
    pairs: int = 10_000,
    labels: np.ndarray | None = None,
) -> Diversity:
    """MS-SSIM over random pairs of different images, of one class where labels are given.

    Odena et al. 2017, arXiv:1610.09585, section 4.2: 100 pairs of each class of ImageNet; all classes have
    the same weight. Without labels pairs are drawn from all images.

    Args:
        images: [N, H, W, C] in 0 to 255, any number type.
        seed: of the pairs; not negative.
        pairs: in all; shared out evenly among the classes.
        labels: int [N].

    Raises:
        UserError: a class has a single image, or there are fewer than two pairs for each; see `ms_ssim` too.
        ValueError: `labels` is not [N].
    """
    check_count(pairs, "pairs")
    groups = _groups(len(images), labels)
    if pairs < 2 * len(groups):
        raise UserError(f"{pairs} pairs for {len(groups)} classes: two of each class are needed at least")
    generator = np.random.default_rng(seed)
    first, second, group = (np.empty(pairs, np.int64) for _ in range(3))
    for index, members in enumerate(groups):
        own = slice(index, None, len(groups))
        group[own] = index
        chosen = generator.integers(len(members), size=len(first[own]))
        other = (chosen + 1 + generator.integers(len(members) - 1, size=len(chosen))) % len(members)
        first[own], second[own] = members[chosen], members[other]
    values = _compared(images, first, second)
    found = [
        _mean_and_variance(*(x[group == index] for x in (values, first, second)))
        for index in range(len(groups))
    ]
    means, variances = np.array(found).T
    return Diversity(
        mean=float(means.mean()),
        standard_error=float(np.sqrt(variances.sum()) / len(groups)),
        pairs=pairs,
        scales=num_scales(*images.shape[1:3]),
    )


def _groups(count: int, labels: np.ndarray | None) -> list[np.ndarray]:
    """The indices of each class's images; of all images without labels."""
    if labels is None:
        groups = {"the images": np.arange(count)}
    elif np.shape(labels) != (count,):
        raise ValueError(f"expected {count} labels, one per image, got {np.shape(labels)}")
    else:
        groups = {f"class {label}": np.flatnonzero(labels == label) for label in np.unique(labels)}
    few = [f"{name} ({len(members)})" for name, members in groups.items() if len(members) < 2]
    if few or not groups:
        listed = ", ".join(few) or "no image at all"
        raise UserError(f"pairs need two different images, and there are too few: {listed}. Give more images")
    return list(groups.values())


def _compared(images: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """MS-SSIM of the pairs, without ever holding all pairs' images."""
    at_once = max(1, _VALUES // images[0].size)
    starts = range(0, len(first), at_once)
    return np.concatenate(
        [
            ms_ssim(images[first[start : start + at_once]], images[second[start : start + at_once]])
            for start in starts
        ]
    )


def _mean_and_variance(values: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """The mean over pairs and the variance of that mean, where pairs may share images.

    Pairs that share an image are correlated, so that more pairs of the same images do not help for ever. The
    variance adds the products of all pairs' deviations that have an image in common (Fafchamps and Gubert
    2007): the squared sums over each image's pairs count a pair's own square twice, hence the difference. It
    is never taken below that of independent pairs.
    """
    deviations = values - values.mean()
    ends = np.concatenate([first, second])
    by_image = np.bincount(ends, np.concatenate([deviations, deviations]))
    own = np.sum(deviations**2)
    return float(values.mean()), float(max(np.sum(by_image**2) - own, own) / len(values) ** 2)
