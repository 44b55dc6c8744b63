"""Clicks: what transposed convolutions leave behind at the multiples of their strides.

Layers of stride 4, one behind the other, repeat their unevenness every 4, 16, 64 samples: a buzz at the
multiples of rate / 4, rate / 16 and so on (Donahue et al. 2019, arXiv:1802.04208, section 3.3, after Odena et
al. 2016). Here the mean spectrum of many sounds is read at those multiples, and compared with what is around.
"""

from __future__ import annotations

import numpy as np

PERIODS = (4, 16, 64)  # samples
NEAR = (3, 7)  # bins aside that are surroundings: nearer ones are the line itself, through the window
SHORTEST = PERIODS[-1] * 2 * (NEAR[1] + 1)  # samples, so that no surroundings hold another line


def clicks(sounds: np.ndarray) -> dict[int, float]:
    """By period, the mean over its lines of their power over that around them, in decibels; 0 is no click.

    A period's lines are the multiples of rate / period that are none of a shorter period's.

    Args:
        sounds: [N, L], of any scale.

    Raises:
        ValueError: too short sounds.
    """
    if sounds.ndim != 2 or sounds.shape[1] < SHORTEST:
        raise ValueError(
            f"clicks are measured in sounds of at least {SHORTEST} samples, not {sounds.shape[-1]}"
        )
    length = sounds.shape[1] // PERIODS[-1] * PERIODS[-1]
    power = np.zeros(length // 2 + 1)
    for part in np.array_split(sounds[:, :length], -(-len(sounds) // 256)):
        power += (np.abs(np.fft.rfft(part * np.hanning(length), axis=1)) ** 2).sum(axis=0)
    power += power.max() * 1e-12 + np.finfo(np.float64).tiny  # the rounding of what is silent
    aside = np.concatenate([np.arange(-NEAR[1], -NEAR[0] + 1), np.arange(NEAR[0], NEAR[1] + 1)])
    found, known = {}, np.zeros(0, int)
    for period in PERIODS:
        lines = np.setdiff1d(np.arange(1, period // 2) * (length // period), known)
        known = np.concatenate([known, lines])
        around = np.median(power[lines[:, None] + aside], axis=1)
        found[period] = float(np.mean(10 * np.log10(power[lines] / around)))
    return found
