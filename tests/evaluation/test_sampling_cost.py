"""The metric `sampling`: what drawing images costs, of any method."""

import dataclasses
import re
from typing import Any

import jax
import numpy as np
import pytest

from gan_jax.algorithms.solvers import DDIM
from gan_jax.data.codecs import Pixels
from gan_jax.data.spec import DataSpec, Field
from gan_jax.evaluation import sampling_cost as cost
from gan_jax.evaluation.evaluate import Evaluator
from gan_jax.evaluation.generated import GeneratedSet, GeneratedSetMaker
from gan_jax.evaluation.requirements import chosen
from gan_jax.feature_networks.simple_networks import no_network
from gan_jax.utils.errors import UserError
from tests.metrics import toy
from tests.variants import CLASSES, SHAPE, VARIANTS, first_state

SPEC = DataSpec({"image": Field(SHAPE)}, CLASSES)


@pytest.fixture(autouse=True)
def few_calls(monkeypatch):
    monkeypatch.setattr(cost, "BATCHES", 1)
    monkeypatch.setattr(cost, "SINGLES", 1)


def variant(name) -> Any:
    return VARIANTS[name]()


def test_a_gan_asks_its_network_once_and_a_diffusion_model_at_every_step():
    gan = cost.sampling_cost(variant("wgan_gp"), SPEC, first_state("wgan_gp"))
    assert gan.network_evaluations == 1
    products = 5 * 6 + 6 * 4 + 4 * np.prod(SHAPE)
    assert 2 * products <= gan.gflop_per_image * 1e9 <= 3 * products + 2_000  # and latents, norms, tanh
    assert gan.images_per_second > 0
    assert gan.latency_ms > 0


def test_operations_grow_with_the_steps(monkeypatch):
    monkeypatch.setattr(jax, "block_until_ready", lambda x: x)
    algorithm, found = variant("edm"), []
    for steps in (2, 4, 6):
        sampler = dataclasses.replace(algorithm, sampler=DDIM(steps=steps))
        found.append(cost.sampling_cost(sampler, SPEC, first_state("edm")))
        assert found[-1].network_evaluations == steps
    first, second, third = (one.gflop_per_image for one in found)
    assert third - second == pytest.approx(second - first, rel=1e-6)


def test_the_score_says_on_what_machine_and_is_of_no_reals():
    real = toy.source(np.zeros((9, *SHAPE), np.uint8), name="reals")
    fake = GeneratedSetMaker("run", variant("edm"), SPEC)(
        first_state("edm"), seed=0, which="last", averaged=False
    )
    record = Evaluator(("sampling",), real, no_network(Pixels()), num_fakes=1, progress=False)(fake)
    assert record.which == "last, heun, 3 steps"
    assert set(record.scores) == {
        "images_per_second",
        "latency_ms",
        "network_evaluations",
        "gflop_per_image",
    }
    score = record.scores["network_evaluations"]
    assert score.value == 5
    assert re.search(r", on .*\w", score.protocol)
    assert str(record.setting_of("latency_ms")) == "images like those of reals"
    with pytest.raises(UserError, match="sampling needs a run that draws images, and files is none"):
        Evaluator(("sampling",), real, no_network(Pixels()), num_fakes=1, progress=False)(
            GeneratedSet(source=toy.source(np.zeros((9, *SHAPE), np.uint8), name="files"))
        )


def test_numbers_are_rounded():
    assert [cost.digits(x, 3) for x in (1234.5, 0.0012345, 7.0)] == [1230.0, 0.00123, 7.0]
    assert chosen(("sampling",))["sampling"].protocol.startswith(cost.SAMPLING.protocol)
