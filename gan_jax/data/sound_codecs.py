"""Codecs of sounds: as they are, and as spectrograms. Both are stored alike, int16 [L, 1, 1]."""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.data import spectral
from gan_jax.data.codec import Codec, Shape
from gan_jax.utils.checks import check_count

Array = jax.Array

_PEAK = 2**15  # of int16: -1 is exact, and so is every stored value in float32
_SILENCE = 1e-6  # added to magnitudes before their logarithm (SpecGAN's code)
_DEVIATIONS = 3.0  # of a bin's log magnitudes: what is beyond is clipped


class Sound(Codec):
    """What both have in common.

    Attributes:
        rate: samples per second.
    """

    rate: int

    noun = "sounds"
    dtype = np.dtype(np.int16)
    file_suffix = ".wav"

    def file(self, decoded: np.ndarray) -> bytes:
        """A WAV file of 16 bits and one channel."""
        return wav_file(self.encode(np.asarray(decoded)[None])[0].reshape(-1), self.rate)


@dataclass(frozen=True)
class Wave(Sound):
    """Sounds of one channel: int16 and [-1, 1), [L, 1, 1].

    Attributes:
        rate: samples per second.
    """

    rate: int

    name = "wave"
    values = "x = v / 32768, of int16 v"

    def __post_init__(self) -> None:
        check_count(self.rate, "rate")

    def stored_shape(self, shape: Shape) -> Shape:
        """[L, 1, 1]."""
        if len(shape) != 3 or shape[1:] != (1, 1):
            raise ValueError(f"sounds have the shape (L, 1, 1), not {shape}")
        return shape

    def decode(self, stored: Array) -> Array:
        """x / 2^15, which is exact."""
        return as_wave(stored)

    def encode(self, decoded: np.ndarray) -> np.ndarray:
        """round(x * 2^15), clipped."""
        return as_stored(decoded)

    def picture(self, decoded: np.ndarray) -> np.ndarray:
        """Spectrograms uint8 [B, F, T, 3], see `spectral.levels`."""
        return spectral.coloured(level_map(np.asarray(decoded, np.float32)))

    def describe(self) -> dict[str, Any]:
        """With the rate."""
        return {"name": self.name, "rate": self.rate}


@dataclass(frozen=True)
class Spectrogram(Sound):
    """Sounds int16 [L, 1, 1], as log magnitudes [F, T, 1] in [-1, 1]: SpecGAN's pictures.

    Donahue et al. 2019, arXiv:1802.04208, section 4.2: of each bin the mean becomes 0 and three standard
    deviations 1; what is beyond is clipped, and the bin of the highest frequency is left out. Time goes to
    the right, high frequencies are at the top. The way back is by Griffin and Lim.

    Attributes:
        rate: samples per second.
        mean, std: of each of the F = window / 2 bins' natural logarithms, from the lowest; () for 0 and 1.
        window, hop: of the transform, in samples.
    """

    rate: int
    mean: tuple[float, ...] = field(default=(), repr=False)
    std: tuple[float, ...] = field(default=(), repr=False)
    window: int = spectral.WINDOW
    hop: int = spectral.HOP

    name = "spectrogram"
    values = "log magnitudes, less their bin's mean, over three of its standard deviations"

    def __post_init__(self) -> None:
        for number, called in ((self.rate, "rate"), (self.window, "window"), (self.hop, "hop")):
            check_count(number, called)
        if self.window % 2 or self.hop > self.window // 2:
            raise ValueError(
                f"window={self.window}, hop={self.hop}: a window is even, and a hop at most half of it"
            )
        for values, called in ((self.mean, "mean"), (self.std, "std")):
            if len(values) not in (0, self.bins):
                raise ValueError(f"{called}: {len(values)} values for the {self.bins} bins of a window")
            object.__setattr__(self, called, tuple(values))  # a list, as JSON has it
        if self.std and not min(self.std) > 0:
            raise ValueError("std has a value that is not above 0")

    @property
    def bins(self) -> int:
        """F."""
        return self.window // 2

    def stored_shape(self, shape: Shape) -> Shape:
        """[F, T, 1] -> [T * hop, 1, 1]."""
        if len(shape) != 3 or shape[0] != self.bins or shape[2] != 1:
            raise ValueError(f"spectrograms of {self.bins} bins have ({self.bins}, T, 1), not {shape}")
        return shape[1] * self.hop, 1, 1

    def decode(self, stored: Array) -> Array:
        """[..., L, 1, 1] -> [..., F, T, 1]."""
        wave = as_wave(stored)[..., 0, 0]
        log = log_magnitudes(wave, self.window, self.hop, jnp)
        if self.mean:
            log = (log - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return spectral.upright(jnp.clip(log / _DEVIATIONS, -1, 1), jnp)[..., None]

    def magnitude(self, decoded: np.ndarray) -> np.ndarray:
        """[B, F, T, 1] -> magnitudes [B, T, F], from the lowest bin."""
        log = np.flip(np.asarray(decoded, np.float64)[..., 0], -2).swapaxes(-1, -2) * _DEVIATIONS
        if self.mean:
            log = log * np.asarray(self.std) + np.asarray(self.mean)
        return np.exp(log)

    def encode(self, decoded: np.ndarray) -> np.ndarray:
        """Sounds with about these magnitudes, int16 [B, L, 1, 1]; quieter where they would be clipped."""
        magnitude = np.pad(self.magnitude(decoded), ((0, 0), (0, 0), (0, 1)))
        found = spectral.griffin_lim(magnitude, magnitude.shape[1] * self.hop, self.hop)
        loudest = np.abs(found).max(axis=1, keepdims=True)
        return as_stored((found / np.maximum(loudest, 1.0))[:, :, None, None])

    def picture(self, decoded: np.ndarray) -> np.ndarray:
        """As of waves, uint8 [B, F, T, 3]."""
        level = spectral.levels(self.magnitude(decoded), self.window)
        return spectral.coloured(spectral.upright(level))

    def describe(self) -> dict[str, Any]:
        """With the statistics, where there are some."""
        known = {"mean": list(self.mean), "std": list(self.std)} if self.mean else {}
        return {"name": self.name, "rate": self.rate, "window": self.window, "hop": self.hop, **known}

    @classmethod
    def of(cls, stored: np.ndarray, rate: int) -> Spectrogram:
        """The codec with the statistics of these sounds, int16 [N, L, 1, 1], rounded to 4 digits."""
        wave = stored.reshape(len(stored), -1) / _PEAK
        log = log_magnitudes(wave, spectral.WINDOW, spectral.HOP, np)
        mean, std = log.mean(axis=(0, 1)), np.maximum(log.std(axis=(0, 1)), 1e-3)
        return cls(rate, tuple(np.round(mean, 4).tolist()), tuple(np.round(std, 4).tolist()))


def as_wave(stored: Array) -> Array:
    """int16 -> float32 in [-1, 1): x / 2^15, which is exact."""
    return stored.astype(jnp.float32) * np.float32(1 / _PEAK)


def as_stored(wave: np.ndarray) -> np.ndarray:
    """Floats -> int16: round(x * 2^15), clipped."""
    x = np.asarray(wave, np.float32) * _PEAK
    return np.rint(np.clip(x, -_PEAK, _PEAK - 1)).astype(np.int16)


def log_magnitudes(wave: Any, window: int, hop: int, xp: Any) -> Any:
    """Sounds [..., L] -> [..., T, window / 2], natural logarithms, without the highest bin."""
    return xp.log(abs(spectral.spectrum(wave, window, hop, xp))[..., :-1] + _SILENCE)


def level_map(wave: Any, xp: Any = np) -> Any:
    """Sounds [B, L, 1, 1] as their picture shows them, before colours: [B, F, T] in [0, 1].

    Args:
        xp: numpy, or jax.numpy for what is traced.
    """
    flat = wave.reshape(wave.shape[0], -1)
    window, hop = spectral.picture_frames(flat.shape[1])
    magnitude = abs(spectral.spectrum(flat, window, hop, xp))[..., :-1]
    return spectral.upright(spectral.levels(magnitude, window, xp), xp)


def wav_file(samples: np.ndarray, rate: int) -> bytes:
    """A WAV file of samples int16 [L]."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()
