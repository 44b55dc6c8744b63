"""A paired translator: the discriminator sees the source too, samples are made of held-out sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import pytest

from gan_jax.algorithms.gan import GAN
from gan_jax.data.codecs import Pixels
from gan_jax.data.spec import Field
from tests.toys.common import (
    Toy,
    ToyData,
    ToyDiscriminator,
    ToyTranslator,
    check_alone,
    check_many,
    squares,
    toy_config,
)


@dataclass(frozen=True, kw_only=True)
class Translator(GAN):
    conditions: ClassVar[tuple[str, ...]] = ("source",)

    content_weight: float = 10.0

    def examples(self, batch):
        return {**super().examples(batch), "generator": (batch["source"], None)}

    def inputs(self, key, batch, state):
        return batch["source"], self.conditioning(batch, state)

    def discriminator_input(self, image, batch):
        return jnp.concatenate([image, batch["source"]], axis=-1)

    def content_loss(self, fake, state, batch):
        distance = jnp.mean(jnp.abs(fake - batch["image"]))
        return self.content_weight * distance, {"l1": distance}

    def sample(self, state, batch, key):
        return self.draw(state, batch["source"], None)


def pairs(count, rng):
    image = squares(count, rng)
    return {"image": image, "source": 255 - image}


TOY = Toy(
    config=toy_config(
        {"name": "toy_translator"},
        {"name": "toy_translator_network"},
        discriminator={"name": "toy_discriminator"},
    ),
    data=ToyData({name: Field((8, 8, 1), Pixels()) for name in ("image", "source")}, pairs),
    algorithms={"toy_translator": Translator},
    models={"toy_translator_network": ToyTranslator, "toy_discriminator": ToyDiscriminator},
)


def test_a_translator_lives_in_one_file(monkeypatch, tmp_path):
    check_alone(TOY, monkeypatch, tmp_path, [1])


@pytest.mark.slow
def test_on_eight_devices_and_in_a_study(monkeypatch, tmp_path):
    check_many(TOY, monkeypatch, tmp_path)
