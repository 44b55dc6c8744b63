"""The gathered batch, and gradients through it, on 8 devices against one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.core.collectives import gather_batch, own_rows
from tests.devices import AXIS, WAYS, assert_close, split_run


def array(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


X, W = array(0, 24, 5), array(1, 5, 3) / 2


def test_without_an_axis_nothing_happens():
    assert gather_batch(X, None) is X
    assert own_rows(X, 24, None) is X


@pytest.mark.parametrize("way", WAYS)
def test_every_device_sees_all_rows_in_order_and_finds_its_own(way):
    def local(_, x):
        every = gather_batch(x, AXIS)
        return (every[None], own_rows(2 * every, x.shape[0], AXIS)), every

    (copies, own), mean = split_run(way, local, 0.0, X)
    assert copies.shape == (8, 24, 5)
    for copy in copies:
        np.testing.assert_array_equal(copy, X)
    np.testing.assert_array_equal(own, 2 * X)
    np.testing.assert_allclose(mean, X, rtol=1e-6)


def contrast(w, x, axis_name):
    """A loss in which every logit meets every other; on a split batch the same on every device."""
    logits = gather_batch(jnp.tanh(x @ w).sum(-1), axis_name)
    pairs = jax.nn.softplus(logits[:, None] - 2 * logits[None])
    return jnp.mean(pairs * jnp.arange(len(logits))) + jnp.std(logits)


def with_penalty(w, x, axis_name):
    """Besides a mean over the own rows, and a second derivative through the gathered batch."""
    inner = jax.grad(lambda x: jnp.sum(jnp.square(gather_batch(jnp.tanh(x @ w), axis_name)).mean(0) ** 2))(x)
    devices = jax.lax.axis_size(axis_name) if axis_name else 1
    own = jnp.mean(jnp.sin(x @ w))
    # On a split batch `inner` is the gradient of the sum of 8 equal losses.
    return contrast(w, x, axis_name) + own + 100 * jnp.mean(jnp.square(inner / devices))


@pytest.mark.parametrize("loss", [contrast, with_penalty])
@pytest.mark.parametrize("way", WAYS)
def test_mean_of_the_devices_gradients_is_the_gradient(way, loss):
    expected = jax.value_and_grad(loss)(W, X, None)

    def local(w, x):
        return (), jax.value_and_grad(loss)(w, x, AXIS)

    _, found = split_run(way, local, W, X)
    assert_close(found, expected)
    assert np.abs(expected[1]).max() > 0.1


@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_share_is_refused(way):
    with pytest.raises(ValueError, match="24 rows over 8 devices are not 4 on each"):
        split_run(way, lambda _, x: (own_rows(gather_batch(x, AXIS), 4, AXIS), 0.0), 0.0, X)
    with pytest.raises(ValueError, match="24 rows over 1 devices are not 3 on each"):
        own_rows(X, 3, None)
