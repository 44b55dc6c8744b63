"""Clicks: what transposed convolutions leave behind at the multiples of their strides.

A layer with stride s repeats its unevenness every s samples, which is a buzz at the multiples of rate / s
(Donahue et al. 2019, arXiv:1802.04208, section 3.3, after Odena et al. 2016). Here the mean spectrum of many
sounds is read at the multiples of rate / 64, which holds those of strides of 2, 4, 16, 32 and 64, and compared
with its surroundings.
"""

from __future__ import annotations

import numpy as np

PERIOD = 64  # samples
NEAR = (
    4,
    12,
)  # bins to either side that are surroundings: nearer ones are the line's own, through the window
SHORTEST = PERIOD * 2 * (NEAR[1] + 1)  # samples, so that no surroundings hold another line


def clicks(sounds: np.ndarray) -> float:
    """The mean over the lines of their power over that of their surroundings, in decibels; 0 is no click.

    Args:
        sounds: [N, L], of any scale.

    Raises:
        ValueError: too short sounds.
    """
    if sounds.ndim != 2 or sounds.shape[1] < SHORTEST:
        raise ValueError(
            f"clicks are measured in sounds [N, L] of at least {SHORTEST} samples, not {sounds.shape}"
        )
    length = sounds.shape[1] // PERIOD * PERIOD
    power = np.zeros(length // 2 + 1)
    for part in np.array_split(sounds[:, :length], -(-len(sounds) // 256)):
        power += (np.abs(np.fft.rfft(part * np.hanning(length), axis=1)) ** 2).sum(axis=0)
    power += power.max() * 1e-12 + np.finfo(np.float64).tiny  # the rounding of what is silent
    lines = np.arange(1, PERIOD // 2) * (length // PERIOD)
    aside = np.concatenate([np.arange(-NEAR[1], -NEAR[0] + 1), np.arange(NEAR[0], NEAR[1] + 1)])
    around = np.median(power[lines[:, None] + aside], axis=1)
    return float(np.mean(10 * np.log10(power[lines] / around)))
