"""Metrics of sounds: their pitch, and clicks at the multiples of strides."""

from __future__ import annotations

import numpy as np

from gan_jax.data.sound_codecs import Sound
from gan_jax.evaluation.extract import ExtractedSet
from gan_jax.evaluation.metric import Better, Comparison, Metric, Need
from gan_jax.metrics.sounds.clicks import NEAR, PERIODS, clicks
from gan_jax.metrics.sounds.pitch import CLEAR, HIGH, LOW, Pitches, cents_off, pitch_distance, pitches
from gan_jax.utils.errors import UserError

HEARD = 2_000  # sounds of each side
OF_SOUNDS: frozenset[Need] = frozenset({"sounds"})


def _pitch(given: Comparison) -> dict[str, float]:
    codec = given.network.codec
    assert isinstance(codec, Sound)
    rate = codec.rate
    fake, real = _pitches(given.fake, rate), given.once("pitches", lambda: _pitches(given.real, rate))
    found = {"pitched": float(fake.pitched.mean()), "pitched_real": float(real.pitched.mean())}
    # Where nothing has a pitch there is no distance: the largest error there is, and no number of semitones.
    for name, side in (("pitch_error", fake), ("pitch_error_real", real)):
        heard = side.hertz[side.pitched]
        found[name] = float(cents_off(heard).mean()) if len(heard) else 50.0
    if fake.pitched.any() and real.pitched.any():
        found["pitch_distance"] = pitch_distance(fake.hertz[fake.pitched], real.hertz[real.pitched])
    return found


def _clicks(given: Comparison) -> dict[str, float]:
    try:
        real = given.once("clicks", lambda: clicks(_flat(given.real)))
        fake = clicks(_flat(given.fake))
    except ValueError as error:
        raise UserError(f"{error}: leave clicks out") from error
    own = {f"clicks_{period}": value for period, value in fake.items()}
    return own | {f"clicks_{period}_real": value for period, value in real.items()}


def _pitches(side: ExtractedSet, rate: int) -> Pitches:
    try:
        return pitches(_flat(side), rate)
    except ValueError as error:
        raise UserError(f"{error}: leave pitch out") from error


def _flat(side: ExtractedSet) -> np.ndarray:
    """The first sounds, [N, L]."""
    return side.images[:HEARD].reshape(min(len(side.images), HEARD), -1)


_LOWER: dict[str, Better] = {f"clicks_{period}": "lower" for period in PERIODS}
SOUND_METRICS = {
    "pitch": Metric(
        1,
        f"at most {HEARD:,} sounds, {LOW:g} to {HIGH:g} Hz, autocorrelation of at least {CLEAR:g}, cents "
        "from A440",
        {
            "pitch_error": "lower",
            "pitched": "higher",
            "pitch_error_real": "neither",
            "pitched_real": "neither",
        },
        _pitch,
        least=1,
        images=HEARD,
        needs=OF_SOUNDS,
        features=False,
    ),
    "clicks": Metric(
        1,
        f"at most {HEARD:,} sounds, rate / {', '.join(map(str, PERIODS))} over {NEAR[0]} to {NEAR[1]} bins "
        "aside, dB",
        _LOWER | {f"{name}_real": "neither" for name in _LOWER},
        _clicks,
        least=1,
        images=HEARD,
        needs=OF_SOUNDS,
        features=False,
    ),
}
