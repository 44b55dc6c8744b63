"""Synthetic tones: what is drawn is what the factors say, and every tone depends on its own number alone."""

from typing import Any

import numpy as np
import pytest

from gan_jax import data
from gan_jax.data.codecs import Spectrogram, Wave
from gan_jax.data.expected import expected_spec
from gan_jax.data.tones import ENVELOPES, FACTORS, TIMBRES, TonesOptions, draw, frequency, sample_factors
from gan_jax.utils.errors import UserError

RATE, LENGTH = 8_000, 4_096


def one(**factors):
    given = {"note": 0, "timbre": 0, "envelope": 0, "loudness": 2**16 - 1, "phase": 0} | factors
    sound = draw({name: np.array([value]) for name, value in given.items()}, LENGTH, RATE)
    return sound[0, :, 0, 0] / 2**15


@pytest.mark.parametrize("timbre", range(4))
def test_the_harmonics_of_a_timbre(timbre):
    spectrum = np.abs(np.fft.rfft(one(timbre=timbre, note=0) * np.hanning(LENGTH)))
    for number, amplitude in enumerate(list(TIMBRES.values())[timbre][:9], start=1):
        at = round(number * 220 * LENGTH / RATE)
        strength = spectrum[at - 3 : at + 4].max() / spectrum[110:116].max()
        assert strength == pytest.approx(amplitude, abs=0.1)
    assert np.argmax(spectrum) == pytest.approx(220 * LENGTH / RATE, abs=1)


def test_notes_are_semitones_and_nothing_is_above_half_the_rate():
    assert frequency(12) == pytest.approx(440)
    assert frequency(1) / frequency(0) == pytest.approx(2 ** (1 / 12))
    spectrum = np.abs(np.fft.rfft(one(timbre=2, note=23)))  # 831 Hz: the fifth harmonic would be at 4154
    mirrored = round((8_000 - 5 * frequency(23)) * LENGTH / RATE)
    assert spectrum[mirrored - 5 : mirrored + 6].max() < 0.02 * spectrum.max()


def test_envelopes_and_loudness():
    held, plucked, swelling = (np.abs(one(envelope=number)) for number in range(3))
    quarters = [[part.max() for part in np.split(x, 4)] for x in (held, plucked, swelling)]
    assert min(quarters[0]) > 0.95 * max(quarters[0])
    assert sorted(quarters[1], reverse=True) == quarters[1]
    assert quarters[1][3] < 0.1 * quarters[1][0]
    assert quarters[2][1] > 1.5 * quarters[2][0]
    assert held.max() == pytest.approx(0.9, abs=0.01)
    assert np.abs(one(loudness=0)).max() == pytest.approx(0.4, abs=0.01)
    assert max(held[0], held[-1]) == 0  # no clicks


def test_a_tone_depends_on_the_seed_and_its_number():
    few, many = sample_factors(5, 3), sample_factors(50, 3)
    assert few.keys() == FACTORS.keys()
    for name, values in few.items():
        np.testing.assert_array_equal(values, many[name][:5])
        assert (many[name] < FACTORS[name]).all()
    assert any((sample_factors(50, 4)[name] != many[name]).any() for name in FACTORS)
    assert any((sample_factors(50, 3, "test")[name] != many[name]).any() for name in FACTORS)


def test_the_data_set(tmp_path):
    options: Any = {"length": 512, "num_examples": 20}
    train = data.load("tones", data_dir=tmp_path, **options)
    test = data.load("tones", data_dir=tmp_path, split="test", **options)
    assert (len(train), len(test), train.class_names) == (20, 2, tuple(TIMBRES))
    assert train.fields["image"].shape == (512, 1, 1)
    assert train.fields["image"].codec == Wave(8_000)
    factors = sample_factors(20, 0)
    arrays = train.arrays()
    np.testing.assert_array_equal(arrays["image"], draw(factors, 512, 8_000))
    np.testing.assert_array_equal(arrays["label"], factors["timbre"])
    record = train.records([7])[0]
    assert (record["note"], record["envelope"]) == (factors["note"][7], factors["envelope"][7])
    assert record["envelope"] < len(ENVELOPES)
    seen = data.load("tones", data_dir=tmp_path, form="spectrogram", **options)
    codec = seen.fields["image"].codec
    assert codec == Spectrogram.of(arrays["image"], 8_000)
    assert seen.fields["image"].shape == (128, 4, 1)
    np.testing.assert_array_equal(seen.arrays()["image"], arrays["image"])
    assert expected_spec("tones", form="spectrogram", **options).fields == seen.fields


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rate": 0}, "rate=0"),
        ({"length": -4}, "length=-4"),
        ({"length": 8}, "at least 16"),
        ({"rate": 1_000}, "cannot hold notes up to 831 Hz"),
        ({"form": "picture"}, "form"),
        ({"form": "spectrogram", "length": 1_000}, "multiple of 128, 256 at least"),
        ({"num_examples": 0}, "num_examples is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_options_that_will_not_do(options, said):
    with pytest.raises(UserError, match=said):
        TonesOptions(**options)
