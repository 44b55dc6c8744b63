"""CycleGAN from the config to its scores, with its pools, on unpaired data."""

from __future__ import annotations

import pytest

from gan_jax.data.codecs import Pixels
from gan_jax.data.spec import Field
from tests.algorithms.test_cyclegan import Pair, Translators
from tests.toys.common import (
    BATCH,
    Toy,
    ToyData,
    ToyDiscriminator,
    ToyTranslator,
    check_alone,
    check_many,
    squares,
    toy_config,
)


def translators(image_shape):
    return Translators(ToyTranslator(image_shape), ToyTranslator(image_shape))


def discriminators():
    return Judges(ToyDiscriminator(), ToyDiscriminator())


class Judges(Pair):
    def a(self, x, told, train):
        return self.first(x, told, train)

    def b(self, x, told, train):
        return self.second(x, told, train)

    forward, backward = a, b


TOY = Toy(
    config=toy_config(
        {"name": "cyclegan", "pool_size": BATCH},
        {"name": "toy_translators"},
        discriminator={"name": "toy_discriminators"},
        loss={"name": "least_squares"},
    ),
    data=ToyData(
        {"image": Field((8, 8, 1), Pixels()), "source": Field((8, 8, 1), Pixels(), aligned=False)},
        lambda count, rng: {"image": squares(count, rng), "source": 255 - squares(count, rng)},
    ),
    models={"toy_translators": translators, "toy_discriminators": discriminators},
)


@pytest.mark.slow
def test_it_trains_resumes_and_is_scored(monkeypatch, tmp_path):
    state = check_alone(TOY, monkeypatch, tmp_path, [1, 2])
    assert int(state.extra["pools"]["a"]["count"]) == BATCH
    assert [path.name for path in tmp_path.glob("grid*.png")] == ["grid.png"]  # made and cycle side by side


@pytest.mark.slow
def test_on_eight_devices_and_in_a_study(monkeypatch, tmp_path):
    check_many(TOY, monkeypatch, tmp_path)
