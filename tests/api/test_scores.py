"""Scores from Python: what each side may be, and what is said of those that do not fit."""

import numpy as np
import pytest

import gan_jax
from gan_jax.utils.errors import UserError

REAL = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1), np.uint8)
FLOATS = (REAL / 127.5 - 1).astype(np.float32)


def test_each_form_of_the_same_images_has_the_same_score(place):
    np.savez(place / "real.npz", images=REAL)
    for real in (REAL, REAL[..., 0], FLOATS, "real.npz", gan_jax.as_dataset(REAL)):
        assert gan_jax.fid(REAL, real, network="pixels") == pytest.approx(0, abs=1e-3)


def test_a_run_is_scored_as_its_images_are_and_says_its_protocol(place):
    run = gan_jax.load("runs/small")
    drawn = np.stack([run.sample(20, 0, seed=1), run.sample(20, 1, seed=1)])
    images = drawn[np.arange(20) % 2, np.arange(20)]  # the labels go round
    scores = gan_jax.evaluate("runs/small", REAL, network="pixels", num=20, seed=1)
    assert dict(scores) == {"fid": pytest.approx(gan_jax.fid(images, REAL, network="pixels"))}
    text = str(scores)
    assert "| small | 2 |" in text
    assert "20 fakes against 50 reals of real array" in text
    against = gan_jax.evaluate(FLOATS, run, network="pixels", seed=1)
    assert against.record.setting.real == "run small"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fake": REAL}, "real is missing: the fakes are no run"),
        ({"fake": REAL, "real": REAL[:, :4]}, "bring them to one size"),
        ({"fake": REAL, "real": REAL, "metrics": "fdi"}, "unknown metric 'fdi'"),
        ({"fake": REAL, "real": REAL, "metrics": ["kid"]}, "kid needs at least 1000 fakes"),
        ({"fake": REAL / 255, "real": REAL}, "the images of fake are float64 and none is below 0"),
        ({"fake": REAL / 1.0, "real": REAL}, "floats must be in"),
        ({"fake": "nothing", "real": REAL}, "'nothing' is neither a folder nor a file"),
    ],
    ids=str,
)
def test_what_cannot_be_scored(arguments, message, place):
    with pytest.raises(UserError, match=message):
        gan_jax.evaluate(**arguments, network="pixels")
