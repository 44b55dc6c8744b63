"""A run that was stopped, saved and restored ends with the bits of one that was not, with every option."""

from contextlib import closing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.distributed import parallel
from gan_jax.training.checkpoint import Checkpoints
from tests.runs import assert_same_bits, leaves
from tests.variants import KEY, MINI, VARIANTS, first_state, one_device, one_device_call, slow_but, steps_of

FIRST, THEN = 3, 1  # steps before and after the stop: an odd number, so that lazy updates lie on both sides


def run(name, state, first, count):
    """The state and metrics [count] of the steps first, ..., first + count - 1."""
    algorithm, mesh = VARIANTS[name](), one_device()
    state = jax.tree.map(lambda x: jax.device_put(jnp.copy(x), parallel.replicated(mesh)), state)
    items = {
        batch: np.roll(values, -first, axis=0) for batch, values in steps_of(algorithm).items()
    }  # the call takes the first `count` of them
    items = parallel.place(items, parallel.split_on(mesh, 2))
    state, metrics = one_device_call(name)(state, {}, items, jnp.int32(count))
    return state, {metric: np.asarray(values)[:count] for metric, values in metrics.items()}


# Those whose states hold the most kinds of things.
@pytest.mark.parametrize("name", slow_but("ada", "lecam", "feature_matching", "dcgan_labels"))
def test_resumed_is_bitwise_the_same(name, tmp_path):
    whole, metrics = run(name, first_state(name), 0, FIRST + THEN)
    half, begun = run(name, first_state(name), 0, FIRST)
    like = parallel.abstract_state(VARIANTS[name](), MINI, one_device())
    with closing(Checkpoints(tmp_path / "checkpoints")) as checkpoints:
        checkpoints.save(half)
        restored = checkpoints.restore(like)
    assert restored is not None
    assert_same_bits(restored, half)
    resumed, rest = run(name, restored, FIRST, THEN)
    assert int(resumed.step) == FIRST + THEN
    assert_same_bits(resumed, whole)
    for metric, values in metrics.items():
        np.testing.assert_array_equal(np.concatenate([begun[metric], rest[metric]]), values)
    changed = [key for key, leaf in leaves(half).items() if leaf.tobytes() != leaves(resumed)[key].tobytes()]
    assert len(changed) > 5


def test_what_components_remember_is_in_the_state():
    """Nothing of it lives outside, where a checkpoint could not hold it."""
    kinds = {
        "ada": {"augment"},
        "lecam": {"lecam"},
        "extragradient": {"pool"},
        "feature_matching": {"pool"},
        "super_resolution": {"pool"},
        "cyclegan": {"pools", "shown"},
        "stylegan2": {"path_length"},
    }
    for name in VARIANTS:
        expected: set[str] = kinds.get(name, set())
        assert set(jax.eval_shape(VARIANTS[name]().init, KEY, MINI).extra) == expected, name
