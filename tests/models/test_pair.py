"""Pairs of networks: both directions, the fields of their network, data whose fields differ."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.core.accumulation import network_obstacles
from gan_jax.core.algorithm import apply_network
from gan_jax.core.modules import is_conditional, with_field
from gan_jax.models import MODELS
from gan_jax.models.pair import PatchGANDiscriminatorPair, ResNetTranslatorPair, UNetGeneratorPair
from gan_jax.models.resnet_translator import ResNetTranslator

KEY = jax.random.key(0)
A = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (2, 8, 8, 1)), jnp.float32)
B = jnp.asarray(np.random.default_rng(1).uniform(-1, 1, (2, 12, 8, 3)), jnp.float32)
SHAPES: dict[str, Any] = dict(image_shape=B.shape[1:], source_shape=A.shape[1:])
TRANSLATORS = {
    "unet_generator": UNetGeneratorPair(**SHAPES, width=2, downs=2, dropout=0.4),
    "resnet_translator": ResNetTranslatorPair(**SHAPES, width=2, blocks=1),
}
JUDGES = PatchGANDiscriminatorPair(width=2, layers=1)
PAIRS = {**TRANSLATORS, "patchgan_discriminator": JUDGES}


@pytest.mark.parametrize("name", TRANSLATORS)
def test_each_direction_has_the_channels_of_its_end(name):
    pair = TRANSLATORS[name]

    def translated():
        variables = pair.init(KEY, A, B, None, train=False)
        ways = [
            apply_network(pair, variables["params"], {}, x, None, key=KEY, train=False, method=way)[0]
            for way, x in (("a_to_b", A), ("b_to_a", B))
        ]
        return ways, pair.apply(variables, A, B, None, train=False)

    for found in jax.eval_shape(translated):
        assert [x.shape for x in found] == [(2, 8, 8, 3), (2, 12, 8, 1)]


def test_each_direction_is_a_network_of_its_own():
    pair = TRANSLATORS["resnet_translator"]

    @jax.jit
    def translated():
        """By the pair's methods, both at once, and by single networks with the same weights."""
        variables = pair.init(KEY, A, B, None, train=False)
        ways = [
            pair.apply(variables, x, None, train=False, method=way)
            for way, x in (("a_to_b", A), ("b_to_a", B))
        ]
        alone = [
            ResNetTranslator(shape, width=2, blocks=1).apply(
                {"params": variables["params"][part]}, x, None, train=False
            )
            for part, x, shape in (("to_b", A, SHAPES["image_shape"]), ("to_a", B, SHAPES["source_shape"]))
        ]
        return ways, pair.apply(variables, A, B, None, train=False), alone

    for direction in zip(*translated(), strict=True):
        for found in direction[1:]:
            np.testing.assert_allclose(found, direction[0], rtol=1e-5, atol=1e-6)


def test_each_kind_of_pictures_has_a_judge():
    @jax.jit
    def judged():
        variables = JUDGES.init(KEY, A, B, None, train=False)
        alone = [
            JUDGES.apply(variables, x, None, train=False, method=name) for name, x in (("a", A), ("b", B))
        ]
        return variables["params"], alone, JUDGES.apply(variables, A, B, None, train=False)

    params, alone, both = judged()
    assert [x.shape for x in both] == [(2, 2, 2), (2, 4, 2)]
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-7), alone, list(both))
    of_a, of_b = (params[part]["output"]["kernel"] for part in ("of_a", "of_b"))
    assert not np.allclose(of_a, of_b)


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_has_the_fields_of_its_network_and_hands_them_on(name):
    pair = PAIRS[name]
    names = lambda network: {f.name for f in dataclasses.fields(network)} - {"source_shape"}
    assert names(pair) == names(MODELS[name])
    seen = {}

    def spy(next_one, arguments, keywords, context):
        module = context.module
        if type(module) is MODELS[name]:
            seen[module.name] = module
        return next_one(*arguments, **keywords)

    changes = dict(axis_name="batch", remat=True, norm="batch", width=3)
    changed = with_field(pair, **changes)
    with nn.intercept_methods(spy):
        jax.eval_shape(lambda: changed.clone(axis_name=None).init(KEY, A, B, None, train=False))
    assert len(seen) == 2
    for part in seen.values():
        assert {field: getattr(part, field) for field in changes} == {**changes, "axis_name": None}
    assert not is_conditional(pair)
    (obstacle,) = network_obstacles(generator=changed)
    assert obstacle.startswith("generator.norm=batch")


@pytest.mark.parametrize("name", TRANSLATORS)
def test_what_translate_asks_of_a_pair(name):
    assert (TRANSLATORS[name].multiple, TRANSLATORS[name].scale) == (4, 1)


def test_pictures_of_one_kind_without_a_source_of_another_shape():
    pair = ResNetTranslatorPair(image_shape=(8, 8, 2), width=2, blocks=1)
    x = jnp.zeros((1, 8, 8, 2))
    both, _ = jax.eval_shape(lambda: pair.init_with_output(KEY, x, x, None, train=False))
    assert [y.shape for y in both] == [x.shape, x.shape]


def test_batch_norm_moves_the_statistics_of_one_direction():
    pair = ResNetTranslatorPair(**SHAPES, width=2, blocks=1, norm="batch")

    @jax.jit
    def statistics():
        variables = dict(pair.init(KEY, A, B, None, train=False))
        params = variables.pop("params")
        _, moved = apply_network(pair, params, variables, A, None, key=None, train=True, method="a_to_b")
        return variables["batch_stats"], moved["batch_stats"]

    before, after = statistics()
    same = {part: jax.tree.leaves(jax.tree.map(np.array_equal, before[part], after[part])) for part in before}
    assert all(same["to_a"])
    assert not any(same["to_b"])
