"""Pitches and clicks of sounds whose answer is known."""

import numpy as np
import pytest

from gan_jax.data.tones import draw, frequency, sample_factors
from gan_jax.metrics.sounds.clicks import SHORTEST, clicks
from gan_jax.metrics.sounds.pitch import cents_off, pitch_distance, pitches

RATE = 8_000


def noise(count=20, length=4_096, seed=0):
    return np.random.default_rng(seed).normal(size=(count, length))


def test_tones_have_the_pitch_of_their_note():
    factors = sample_factors(60, 0)
    found = pitches(draw(factors, 4_096, RATE)[:, :, 0, 0], RATE)
    assert found.pitched.all()
    assert np.abs(1200 * np.log2(found.hertz / frequency(factors["note"]))).max() < 0.1
    assert cents_off(found.hertz).max() < 0.1


def test_sounds_off_their_note():
    seconds = np.arange(4_096) / RATE
    for cents in (-40, 12, 30):
        hertz = 440 * 2 ** (cents / 1200)
        sound = np.sin(2 * np.pi * hertz * seconds)[None]
        assert cents_off(pitches(sound, RATE).hertz)[0] == pytest.approx(abs(cents), abs=0.1)
        # Noise a tenth as strong moves it by less than a cent.
        found = pitches(sound + 0.1 * noise(1), RATE)
        assert cents_off(found.hertz)[0] == pytest.approx(abs(cents), abs=1)


def test_noise_and_silence_have_no_pitch():
    assert not pitches(noise(), RATE).pitched.any()
    silence = pitches(np.zeros((2, 4_096)), RATE)
    assert not silence.pitched.any()
    assert (silence.clarity == 0).all()
    hum = pitches(np.sin(2 * np.pi * 60 * np.arange(4_096) / RATE)[None], RATE)  # lower than is looked for
    assert not hum.pitched.any()
    with pytest.raises(ValueError, match="at least 200 samples"):
        pitches(np.zeros((2, 100)), RATE)
    assert pitches(np.zeros((0, 4_096)), RATE).hertz.shape == (0,)


def test_the_distance_between_pitches_is_in_semitones():
    low = frequency(np.arange(10))
    assert pitch_distance(low, low) == pytest.approx(0)
    assert pitch_distance(low, frequency(np.arange(10) + 3)) == pytest.approx(3)


def test_combs_click_at_their_period():
    plain = noise(100)
    assert all(abs(value) < 1 for value in clicks(plain).values())
    for period, others in ((4, (16, 64)), (16, (64,)), (64, ())):
        comb = 0.1 * plain
        comb[:, ::period] += 1
        found = clicks(comb)
        assert found[period] > 10
        assert all(abs(found[other]) < 1 for other in others)


def test_clicks_do_not_depend_on_the_loudness_and_need_length():
    sounds = noise(10)
    assert clicks(1e-3 * sounds) == pytest.approx(clicks(sounds), abs=1e-6)
    assert all(np.isfinite(value) for value in clicks(np.zeros((2, 4_096))).values())
    with pytest.raises(ValueError, match=f"at least {SHORTEST} samples, not 500"):
        clicks(np.zeros((2, 500)))
