"""Spectra of sounds: the short-time Fourier transform, Griffin and Lim's way back, levels and colours.

Frame t of a sound of L samples holds the `window` samples from t * hop on, with zeros behind the end, times a
periodic Hann window: ceil(L / hop) frames.
"""

from __future__ import annotations

from typing import Any

import numpy as np

RANGE = 80.0  # decibels below a sine of amplitude 1 that are told apart
WINDOW, HOP = 256, 128  # samples: those of SpecGAN, and of pictures
ITERATIONS = 16  # of Griffin and Lim, SpecGAN's
_LEAST = 0.1  # of the squares of the windows at a sample: the first have little, and fade in
_MOST_COLUMNS = 256  # of a picture
# Colours from silence to full level, evenly spread: dark, violet, red, yellow.
_COLOURS = np.array(
    [
        *((0, 0, 4), (28, 16, 68), (79, 18, 123), (129, 37, 129), (181, 54, 122)),
        *((229, 80, 100), (251, 135, 97), (254, 194, 135), (252, 253, 191)),
    ],
    np.float64,
)


def hann(window: int) -> np.ndarray:
    """The periodic window, float64 [window]."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)


def picture_frames(length: int) -> tuple[int, int]:
    """Window and hop of a picture: SpecGAN's, less for short sounds, at most 256 columns for long ones."""
    window = min(WINDOW, 2 ** max(1, int(np.log2(max(length, 2)))))
    return window, max(window // 2, -(-length // _MOST_COLUMNS))


def spectrum(x: Any, window: int, hop: int, xp: Any = np) -> Any:
    """Sounds [..., L] -> complex [..., T, window / 2 + 1].

    Args:
        xp: numpy, or jax.numpy for what is traced.
    """
    length = x.shape[-1]
    count = -(-length // hop)
    padding = [(0, 0)] * (x.ndim - 1) + [(0, max((count - 1) * hop + window - length, 0))]
    places = np.arange(count)[:, None] * hop + np.arange(window)
    return xp.fft.rfft(xp.pad(x, padding)[..., places] * hann(window).astype(x.dtype), axis=-1)


def sounds(spectra: np.ndarray, length: int, hop: int) -> np.ndarray:
    """The sounds [B, L] whose spectra come nearest to these [B, T, F], in squares.

    Griffin and Lim 1984, "Signal estimation from modified short-time Fourier transform", equation 6.
    """
    count, frames, bins = spectra.shape
    window = 2 * (bins - 1)
    weight = hann(window)
    parts = np.fft.irfft(spectra, axis=-1) * weight
    total, squares = (np.zeros((n, (frames - 1) * hop + window)) for n in (count, 1))
    for frame in range(frames):
        here = slice(frame * hop, frame * hop + window)
        total[:, here] += parts[:, frame]
        squares[:, here] += weight**2
    return (total / np.maximum(squares, _LEAST))[:, :length]


def griffin_lim(magnitude: np.ndarray, length: int, hop: int, iterations: int = ITERATIONS) -> np.ndarray:
    """Sounds [B, L] with about these magnitudes [B, T, F]: phases that the overlaps agree on, from 0 on.

    The same paper, section III; deterministic.
    """
    window = 2 * (magnitude.shape[-1] - 1)
    found = sounds(magnitude.astype(np.complex128), length, hop)
    for _ in range(iterations):
        seen = spectrum(found, window, hop)
        found = sounds(magnitude * np.exp(1j * np.angle(seen)), length, hop)
    return found


def levels(magnitude: Any, window: int, xp: Any = np) -> Any:
    """Magnitudes -> [0, 1]: 1 is a sine of amplitude 1 in the middle of its bin, 0 is 80 dB below or less."""
    full = window / 4  # of a Hann window
    decibels = 20 * xp.log10(xp.maximum(magnitude, 1e-9) / full)
    return xp.clip(1 + decibels / RANGE, 0, 1)


def upright(spectrogram: Any, xp: Any = np) -> Any:
    """[..., T, F] -> [..., F, T]: time to the right, high frequencies at the top."""
    return xp.flip(xp.swapaxes(spectrogram, -1, -2), -2)


def coloured(level: np.ndarray) -> np.ndarray:
    """Levels in [0, 1], [..., h, w] -> uint8 RGB [..., h, w, 3]."""
    places = np.linspace(0, 1, len(_COLOURS))
    table = np.stack([np.interp(np.arange(256) / 255, places, channel) for channel in _COLOURS.T], axis=-1)
    return np.rint(table).astype(np.uint8)[np.rint(np.asarray(level) * 255).astype(np.uint8)]
