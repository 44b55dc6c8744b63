"""The pitch of sounds, and how far it is from the notes of the equal-tempered scale.

The period is where a sound resembles itself again most: the normalised autocorrelation, of which the first
peak counts that is nearly as high as the highest (the others are its multiples). The frequency is then read
off the strongest of the first harmonics, in the spectrum of the whole sound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CONCERT = 440.0  # Hz, of a note of the scale
LOW, HIGH = 80.0, 1_000.0  # Hz, between which a pitch is looked for
CLEAR = 0.8  # of the autocorrelation at the period, from -1 to 1: below it a sound has no pitch
_NEARLY = 0.9  # of the highest peak
_FINER = 4  # lags of the autocorrelation in a sample: a high note's period has few samples
_HARMONICS = 5
_WITHIN = 0.03  # of a harmonic's frequency, to either side of what the period says
_PADDED = 4  # times as long is what the spectrum is of


@dataclass(frozen=True)
class Pitches:
    """Of N sounds.

    Attributes:
        hertz: float64 [N]; NaN where there is no pitch.
        clarity: float64 [N], the autocorrelation at the period; 0 for silence, and where no lag is like one.
    """

    hertz: np.ndarray
    clarity: np.ndarray

    @property
    def pitched(self) -> np.ndarray:
        """Which sounds have a pitch, bool [N]."""
        return np.isfinite(self.hertz)


def pitches(sounds: np.ndarray, rate: int) -> Pitches:
    """The pitches of sounds.

    Args:
        sounds: [N, L], of any scale.
        rate: samples per second.

    Raises:
        ValueError: sounds that are too short for two periods of the lowest pitch.
    """
    first, last = max(2, int(rate / HIGH)), int(np.ceil(rate / LOW))
    if sounds.ndim != 2 or sounds.shape[1] < 2 * last:
        raise ValueError(
            f"pitches from {LOW:g} Hz on need sounds [N, L] of at least {2 * last} samples, not "
            f"{list(sounds.shape)}"
        )
    found = [_pitch(np.asarray(sound, np.float64), rate, first, last) for sound in sounds]
    return Pitches(*np.array(found, np.float64).reshape(-1, 2).T)


def cents_off(hertz: np.ndarray) -> np.ndarray:
    """How far each pitch is from the nearest note, in cents, 0 to 50: 25 on average where they are spread."""
    cents = 1200 * np.log2(hertz / CONCERT)
    return np.abs(cents - 100 * np.round(cents / 100))


def pitch_distance(one: np.ndarray, other: np.ndarray) -> float:
    """The Wasserstein distance between two sets of pitches, in semitones."""
    from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(12 * np.log2(one), 12 * np.log2(other)))


def _pitch(sound: np.ndarray, rate: int, first: int, last: int) -> tuple[float, float]:
    """(Hz or NaN, clarity)."""
    sound = sound - sound.mean()
    if not np.any(sound):
        return np.nan, 0.0
    first, last = _FINER * first, _FINER * last
    likeness = _autocorrelation(sound, last + 1)
    inner = likeness[first : last + 1]
    peaks = first + np.flatnonzero(
        (inner >= likeness[first - 1 : last]) & (inner >= likeness[first + 1 : last + 2])
    )
    if not len(peaks) or likeness[peaks].max() <= 0:  # a hum below LOW: it resembles itself nowhere here
        return np.nan, 0.0
    period = int(peaks[likeness[peaks] >= _NEARLY * likeness[peaks].max()][0])
    clarity = float(likeness[period])
    return (_refined(sound, rate, period / _FINER) if clarity >= CLEAR else np.nan), clarity


def _autocorrelation(sound: np.ndarray, last: int) -> np.ndarray:
    """Of the lags 0 to `last` parts of a sample, each over the norms of the two parts that it compares."""
    length = len(sound)
    transformed = np.fft.rfft(sound, 2 * length)
    products = _FINER * np.fft.irfft(np.abs(transformed) ** 2, 2 * _FINER * length)[: last + 1]
    energy = np.concatenate([[0.0], np.cumsum(sound**2)])
    lags = np.arange(last + 1) // _FINER
    ahead, behind = energy[length - lags], energy[length] - energy[lags]
    return products / np.maximum(np.sqrt(ahead * behind), np.finfo(np.float64).tiny)


def _refined(sound: np.ndarray, rate: int, period: float) -> float:
    """The frequency by the strongest of the first harmonics."""
    size = _PADDED * len(sound)
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), size))
    found: list[tuple[float, float]] = []
    for number in range(1, _HARMONICS + 1):
        middle = number * size / period
        low, high = int(middle * (1 - _WITHIN)), int(middle * (1 + _WITHIN)) + 1
        if high + 1 >= len(power):
            break
        top = low + int(power[low : high + 1].argmax())
        before, here, after = np.log(np.maximum(power[top - 1 : top + 2], 1e-30))
        bend = before - 2 * here + after
        shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
        found.append((float(power[top]), (top + np.clip(shift, -0.5, 0.5)) * rate / size / number))
    return max(found)[1] if found else rate / period
