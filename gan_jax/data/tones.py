"""Synthetic tones: a note, an envelope, a loudness and one of four timbres, all known and drawn from a seed.

What a generator makes of them can be judged without ears: the pitch of each note is exact, so that of a
sound can be measured against the nearest one, and the timbre is the class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gan_jax.data.sound_codecs import as_stored
from gan_jax.data.sounds import MEASURED, SoundBuilder, SoundOptions
from gan_jax.utils.errors import UserError

LOWEST = 220.0  # Hz, of note 0: A3
NOTES = 24  # semitones of equal temperament
# The amplitudes of the harmonics 1, 2, 3, ... of each timbre; those at half the rate or above are left out.
TIMBRES: dict[str, tuple[float, ...]] = {
    "sine": (1.0,),
    "square": tuple(1 / k if k % 2 else 0.0 for k in range(1, 20)),
    "saw": tuple(1 / k for k in range(1, 20)),
    "organ": (1.0, 0.8, 0.0, 0.6, 0.0, 0.0, 0.0, 0.4),
}
ENVELOPES = ("held", "plucked", "swelling")
FACTORS = {
    "timbre": len(TIMBRES),
    "note": NOTES,
    "envelope": len(ENVELOPES),
    "loudness": 2**16,
    "phase": 2**16,
}
_SPLIT_NUMBER = {"train": 0, "test": 1}
_RAMP = 0.01  # seconds of the rise and the fall at the ends, so that nothing clicks
_AT_A_TIME = 512


@dataclass(frozen=True)
class TonesOptions(SoundOptions):
    """As `SoundOptions`, and

    num_examples: tones in the split "train"; "test" has a tenth of that.
    seed: another seed draws other tones.
    """

    NAME = "tones"

    length: int = 4_096
    rate: int = 8_000
    num_examples: int = 8_192
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rate <= 2 * frequency(NOTES - 1):
            raise UserError(
                f"tones: rate={self.rate} per second cannot hold notes up to {frequency(NOTES - 1):.0f} Hz: "
                "choose more than twice that, such as 8000."
            )
        if self.num_examples < 1:
            raise UserError(f"tones: num_examples is {self.num_examples}; it must be at least 1.")
        if not 0 <= self.seed < 2**64:
            raise UserError(f"tones: the seed is {self.seed}; it must be from 0 to 2**64 - 1.")


class Tones(SoundBuilder):
    """The builder; the class label is the timbre."""

    OPTIONS = TonesOptions
    options: TonesOptions

    def config_name(self) -> str:
        o = self.options
        return f"{o.length}_{o.rate}_n{o.num_examples}_seed{o.seed}"

    def class_names(self) -> tuple[str, ...]:
        return tuple(TIMBRES)

    def integer_features(self) -> tuple[str, ...]:
        return "note", "envelope"

    def num_examples(self, split: str) -> int:
        return self.options.num_examples if split == "train" else -(-self.options.num_examples // 10)

    def measured(self) -> np.ndarray:
        return self._measured

    @cached_property
    def _measured(self) -> np.ndarray:
        o = self.options
        return draw(sample_factors(min(MEASURED, o.num_examples), o.seed), o.length, o.rate)

    def records(self, split: str) -> Iterator[dict[str, Any]]:
        o = self.options
        factors = sample_factors(self.num_examples(split), o.seed, split)
        for start in range(0, self.num_examples(split), _AT_A_TIME):
            part = {name: values[start : start + _AT_A_TIME] for name, values in factors.items()}
            for i, sound in enumerate(draw(part, o.length, o.rate)):
                known = {name: int(part[name][i]) for name in self.integer_features()}
                yield {"image": sound, "label": int(part["timbre"][i]), **known}


def frequency(note: Any) -> Any:
    """Hertz of a note, a number or an array."""
    return LOWEST * 2 ** (np.asarray(note) / 12)


def sample_factors(num_examples: int, seed: int, split: str = "train") -> dict[str, np.ndarray]:
    """Independent, uniform factors: int64 [num_examples] for each name in FACTORS.

    Number i depends on nothing but the seed, the split and i.
    """
    out = {}
    for number, (name, choices) in enumerate(FACTORS.items()):
        stream = np.array([seed, _SPLIT_NUMBER[split] * len(FACTORS) + number], np.uint64)
        raw = np.random.Philox(key=stream).random_raw(num_examples)  # the same in every numpy
        out[name] = (raw % np.uint64(choices)).astype(np.int64)
    return out


def draw(factors: Mapping[str, np.ndarray], length: int, rate: int) -> np.ndarray:
    """Tones with these factors, int16 [N, L, 1, 1].

    A sum of harmonics of the peak 1, times the envelope, times a loudness from 0.4 to 0.9.
    """
    seconds = np.arange(length) / rate
    pitch = frequency(factors["note"])[:, None]
    turns = pitch * seconds + factors["phase"][:, None] / 2**16
    tables = np.array([amplitudes + (0.0,) * (19 - len(amplitudes)) for amplitudes in TIMBRES.values()])
    wave = np.zeros_like(turns)
    for number, amplitude in enumerate(tables.T, start=1):
        strength = amplitude[factors["timbre"]][:, None] * (number * pitch < rate / 2)
        if strength.any():
            wave += strength * np.sin(2 * np.pi * number * turns)
    wave /= np.abs(wave).max(axis=1, keepdims=True)
    loudness = 0.4 + 0.5 * factors["loudness"][:, None] / 2**16
    envelope = _envelopes(length, rate)[factors["envelope"]]
    return as_stored(loudness * envelope * wave)[:, :, None, None]


def _envelopes(length: int, rate: int) -> np.ndarray:
    """Of each name in ENVELOPES, [3, L]."""
    share = np.arange(length) / length
    ramp = np.minimum(1.0, np.minimum(np.arange(length), np.arange(length)[::-1]) / max(_RAMP * rate, 1))
    return ramp * np.stack([np.ones(length), np.exp(-5 * share), np.sin(np.pi * share) ** 2])
