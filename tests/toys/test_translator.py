"""A paired translator: the discriminator sees the source too, samples are made of held-out sources."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.algorithms.gan import GAN
from gan_jax.config.build import build
from gan_jax.config.components import complete
from gan_jax.data.codecs import Pixels
from gan_jax.data.spec import Field
from gan_jax.evaluation.protocol import from_row
from gan_jax.inference.sample import make_sampler
from gan_jax.summaries.logs import read_metrics
from tests.toys.common import (
    Toy,
    ToyData,
    ToyDiscriminator,
    ToyTranslator,
    check_alone,
    check_many,
    register,
    squares,
    toy_config,
)


class HandOn(nn.Module):
    @nn.compact
    def __call__(self, image, told, train):
        return image + 0 * self.param("unused", nn.initializers.zeros, ())


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


TOY.config.evaluation.metrics = "fid,l1,psnr"


def test_a_translator_lives_in_one_file(monkeypatch, tmp_path):
    check_alone(TOY, monkeypatch, tmp_path, [1])
    scored = [record for record in map(from_row, read_metrics(tmp_path / "whole")) if record]
    assert {record.labels for record in scored} == {"of toy:test"}
    (record,) = scored
    assert record.setting.num_fakes == 16  # one of each held-out row, though 64 are allowed
    assert record.setting_of("l1").real == "toy:test"
    assert 0 < record.scores["l1"].value < 1


def test_samples_are_made_of_held_out_sources(monkeypatch):
    """With a generator that hands its source on, sample i is the source of row i of the test split."""
    register(monkeypatch, TOY)
    plan = build(complete(TOY.config))
    conditions: Any = plan.conditions(plan.phases[0])
    rows: Any = conditions.rows(0, 70)["source"]
    test = TOY.data.open("test", {}).gather(np.arange(70) % 16)["source"]
    np.testing.assert_allclose(rows, test / 127.5 - 1, atol=1e-6)
    handed_on = dataclasses.replace(plan.algorithm, generator=HandOn())
    sampler = make_sampler(handed_on, plan.spec, conditions)
    state = handed_on.init(jax.random.key(0), {"image": rows[:8], "source": rows[:8]})
    np.testing.assert_array_equal(sampler(state, 70, jax.random.key(1)), rows)
    with pytest.raises(ValueError, match="source"):
        make_sampler(handed_on, plan.spec)


@pytest.mark.slow
def test_on_eight_devices_and_in_a_study(monkeypatch, tmp_path):
    check_many(TOY, monkeypatch, tmp_path)
