"""Orthogonal wavelet filters as matrices, for signals that are continued by reflection.

A signal of n samples is continued by reflection that does not repeat the border (... 2 1 0 1 2 ...), which
makes it periodic with 2 n - 2 samples; so no width of padding has to be chosen, and shapes are static.
"""

from __future__ import annotations

from functools import cache

import numpy as np

# Lowpass taps of two Symlets, the least asymmetric orthogonal wavelets of Daubechies, with sum sqrt(2);
# "sym6" and "sym2", decomposition, in PyWavelets.
SYM6 = np.array(
    [
        *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
        *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
        *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
    ]
)
SYM2 = np.array([1 - 3**0.5, 3 - 3**0.5, 3 + 3**0.5, 1 + 3**0.5]) / 32**0.5

TAPS = len(SYM6)
BEFORE = 5  # input sample k feeds the upsampled samples 2 k - BEFORE ... 2 k - BEFORE + TAPS - 1
# Where the lowpass puts sample k: 2 k + PHASE, its delay at low frequencies.
PHASE = float(np.arange(TAPS) @ SYM6 / SYM6.sum()) - BEFORE


def reflected(index: np.ndarray, size: int) -> np.ndarray:
    """The sample in 0..size-1 that any integer index shows."""
    index = np.mod(index, max(2 * size - 2, 1))
    return np.where(index < size, index, 2 * size - 2 - index)


def period(size: int) -> int:
    """Samples after which an upsampled signal repeats."""
    return 2 * max(2 * size - 2, 1)


@cache
def upsampling(size: int) -> np.ndarray:
    """float32 [period(size), size]: zeros between the samples, and the lowpass with gain 2."""
    rows = np.arange(period(size))
    matrix = np.zeros((len(rows), size))
    for tap, weight in enumerate(SYM6):
        sample, odd = np.divmod(rows + BEFORE - tap, 2)
        used = odd == 0
        np.add.at(matrix, (rows[used], reflected(sample[used], size)), 2**0.5 * weight)
    return matrix.astype(np.float32)


@cache
def downsampling(size: int) -> np.ndarray:
    """float32 [size, 2 size - 2 + TAPS]: the transposed lowpass, every second sample.

    Its input starts at upsampled sample -BEFORE. After `upsampling` it is the identity: the filter is
    orthogonal to its shifts by two.
    """
    matrix = np.zeros((size, 2 * size - 2 + TAPS))
    for sample in range(size):
        matrix[sample, 2 * sample : 2 * sample + TAPS] = SYM6 / 2**0.5
    return matrix.astype(np.float32)


def band_taps() -> np.ndarray:
    """Zero-phase bandpass filters [4, 43] that add up to a unit impulse, lowest frequencies first.

    With P(z) = H(z) H(1/z) / 2 of sym2 they are P(z) P(z^2) P(z^4), P(z) P(z^2) P(-z^4), P(z) P(-z^2), P(-z):
    about [0, 1/8], [1/8, 1/4], [1/4, 1/2] and [1/2, 1] of the highest frequency.
    """
    low = np.convolve(SYM2, SYM2[::-1]) / 2
    high = low * (-1.0) ** np.arange(-3, 4)
    bands, below = [], np.ones(1)
    for stride in (1, 2, 4):
        bands.append(np.convolve(below, _spread(high, stride)))
        below = np.convolve(below, _spread(low, stride))
    bands.append(below)
    widest = len(below)
    return np.stack([np.pad(band, (widest - len(band)) // 2) for band in reversed(bands)])


@cache
def band_matrices(size: int) -> np.ndarray:
    """float32 [4, size, size]: `band_taps` on a mirrored signal."""
    taps = band_taps()
    rows = np.arange(size)
    matrices = np.zeros((len(taps), size, size))
    for place in range(taps.shape[1]):
        columns = reflected(rows + place - taps.shape[1] // 2, size)
        matrices[:, rows, columns] += taps[:, place, None]
    return matrices.astype(np.float32)


def _spread(taps: np.ndarray, stride: int) -> np.ndarray:
    """H(z^stride): zeros between the taps."""
    wide = np.zeros(stride * (len(taps) - 1) + 1)
    wide[::stride] = taps
    return wide
