"""A paired translator from the config to its scores; samples are made of held-out sources."""

from __future__ import annotations

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import pytest

import gan_jax
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


def pairs(count, rng):
    image = squares(count, rng)
    return {"image": image, "source": 255 - image}


TOY = Toy(
    config=toy_config(
        {"name": "translator"},
        {"name": "toy_translator"},
        discriminator={"name": "toy_discriminator"},
        source={"name": "field"},
        contents={"l1": {"weight": 10.0}},
    ),
    data=ToyData({name: Field((8, 8, 1), Pixels()) for name in ("image", "source")}, pairs),
    models={"toy_translator": ToyTranslator, "toy_discriminator": ToyDiscriminator},
)


TOY.config.evaluation.metrics = "fid,l1,psnr"


def test_a_translator_trains_resumes_and_is_scored(monkeypatch, tmp_path):
    check_alone(TOY, monkeypatch, tmp_path, [1])
    scored = [record for record in map(from_row, read_metrics(tmp_path / "whole")) if record]
    assert {record.labels for record in scored} == {"of toy:test"}
    (record,) = scored
    assert record.setting.num_fakes == 16  # one of each held-out row, though 64 are allowed
    assert record.setting_of("l1").real == "toy:test"
    assert 0 < record.scores["l1"].value < 1
    run = gan_jax.load(tmp_path / "whole")  # from Python: images of held-out rows, and the same score
    assert run.sample(5).shape == (5, 8, 8, 1)
    assert gan_jax.evaluate(run, metrics="l1", num=16)["l1"] == pytest.approx(record.scores["l1"].value)


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
    samples: Any = sampler(state, 70, jax.random.key(1))
    np.testing.assert_array_equal(samples["image"], rows)
    np.testing.assert_array_equal(samples["source"], rows)
    with pytest.raises(ValueError, match="source"):
        make_sampler(handed_on, plan.spec)


@pytest.mark.slow
def test_on_eight_devices_and_in_a_study(monkeypatch, tmp_path):
    check_many(TOY, monkeypatch, tmp_path)
