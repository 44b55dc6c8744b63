"""Counts and operations from shapes, against sums by hand."""

import jax
import jax.numpy as jnp

from gan_jax.config.build import build_algorithm, example_batch
from gan_jax.config.components import complete
from gan_jax.data.codecs import Points
from gan_jax.data.spec import DataSpec, Field
from gan_jax.models.flow import MLPFlow
from gan_jax.summaries.costs import call_flops, flops, parameter_counts, state_bytes, step_flops
from tests.algorithms.test_flow import flow
from tests.runs import get_config

SPEC = DataSpec({"image": Field((6, 6, 1))}, None)


def shapes(**fields):
    config = get_config()
    config.penalties.r1 = dict(weight=1.0)
    config.update_from_flattened_dict(fields)
    algorithm = build_algorithm(complete(config), SPEC)
    batch = example_batch(SPEC, config.batch_size)
    return algorithm, jax.eval_shape(algorithm.init, jax.random.key(0), batch), batch


def test_parameters_and_bytes():
    _, state, _ = shapes()
    trained = 4 * 8 + 8 + 2 * 8 + 8 * 36 + 36  # dense, the gains and biases of its norm, the output
    assert parameter_counts(state.generator) == (trained, 2 * 8)
    judged = 36 * 8 + 8 + 8 + 1
    found = state_bytes(state)
    assert found["parameters"] == 4 * (trained + judged)
    assert found["statistics"] == 4 * 16
    assert found["the averaged generator"] == 4 * (trained + 16)
    assert found["optimizers"] == 2 * found["parameters"] + 2 * 4  # Adam's moments and counters
    assert found["the method's own"] == found["frozen networks"] == 0


def test_a_call_is_mostly_its_products():
    algorithm, state, batch = shapes()
    products = 2 * (4 * 8 + 8 * 36)
    assert products <= call_flops(algorithm, state, batch, "generator") <= products + 4 * (8 + 36 + 8)


def test_lazy_penalties_count_as_often_as_they_are_due():
    none = step_flops(*shapes(**{"penalties.r1.weight": 0.0}))
    eager = step_flops(*shapes())
    assert none.mean == none.most
    assert eager.mean == eager.most
    lazy = step_flops(*shapes(**{"penalties.r1.every": 4}))
    assert lazy.most > eager.most
    assert lazy.mean < lazy.most
    own = (lazy.most - lazy.mean) / (1 - 1 / 4)
    assert 0 < own < eager.most


def test_what_a_loop_does_counts_as_often():
    """Also in a loop of loops, and in a function with a gradient of its own."""
    x = jax.ShapeDtypeStruct((4, 4), jnp.float32)
    product = lambda x, _: (x @ x, None)
    once = flops(lambda x: x @ x, x)
    assert once == 2 * 4**3

    @jax.custom_vjp
    def looped(x):
        inner = lambda x, _: jax.lax.scan(product, x, None, length=3)
        return jax.lax.scan(inner, x, None, length=5)[0]

    looped.defvjp(lambda x: (looped(x), None), lambda _, g: (g,))
    assert 15 * once <= flops(looped, x) < 16 * once


def test_several_descents_count_each():
    one, three = (step_flops(*shapes(**{"algorithm.discriminator_steps": n})).most for n in (1, 3))
    assert 1.5 * one < three < 3 * one


def test_what_only_the_first_step_does_is_not_that_of_every_step():
    """A flow's step is the gradient of its bits, thrice its way forward: no start of actnorm."""
    network = MLPFlow((1, 1, 2), steps=3, widths=(32, 32))
    algorithm = flow(network, image_codec=Points())
    batch = {"image": jax.ShapeDtypeStruct((64, 1, 1, 2), jnp.float32)}
    state = jax.eval_shape(algorithm.init, jax.random.key(0), batch)
    forward = flops(lambda state, batch, key: algorithm.bits(state, batch, key), state, batch, state.key)
    assert 2.8 * forward < step_flops(algorithm, state, batch).mean < 3.3 * forward
