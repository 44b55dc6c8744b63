"""The optimizers against their papers' formulas, a few steps by hand in float64."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.optim import OPTIMIZERS, adam, ema_schedule, rmsprop, sgd

START = np.array([1.0, -2.0, 0.5])
GRADIENTS = [np.array([0.3, -4.0, 1e-3]), np.array([-0.2, 1.0, 2e-3]), np.array([0.1, 0.0, -5e-3])]


def follow(tx):
    """The parameters after each gradient."""
    params = jnp.asarray(START, jnp.float32)
    state, path = tx.init(params), []
    for gradient in GRADIENTS:
        changes, state = tx.update(jnp.asarray(gradient, jnp.float32), state, params)
        params = optax.apply_updates(params, changes)
        path.append(np.asarray(params))
    return np.array(path)


def test_adam():
    """Kingma and Ba 2015, algorithm 1."""
    rate, b1, b2, eps = 0.1, 0.5, 0.99, 1e-4
    m, v, params, path = np.zeros(3), np.zeros(3), START, []
    for t, g in enumerate(GRADIENTS, start=1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        params = params - rate * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
        path.append(params)
    np.testing.assert_allclose(follow(adam(rate, b1, b2, eps)), path, rtol=1e-5)


def test_adams_defaults_are_the_papers():
    np.testing.assert_array_equal(follow(adam(0.1)), follow(adam(0.1, 0.9, 0.999, 1e-8)))


def test_rmsprop():
    """As Keras writes it: the mean square starts at 0, and epsilon is added to the root."""
    rate, decay, eps = 0.1, 0.9, 1e-3
    v, params, path = np.zeros(3), START, []
    for g in GRADIENTS:
        v = decay * v + (1 - decay) * g**2
        params = params - rate * g / (np.sqrt(v) + eps)
        path.append(params)
    np.testing.assert_allclose(follow(rmsprop(rate, decay, eps)), path, rtol=1e-5)


def test_sgd():
    path = START - 0.1 * np.cumsum(GRADIENTS, axis=0)
    np.testing.assert_allclose(follow(sgd(0.1)), path, rtol=1e-6)


def test_heavy_ball():
    velocity, params, path = np.zeros(3), START, []
    for g in GRADIENTS:
        velocity = 0.9 * velocity + g
        params = params - 0.1 * velocity
        path.append(params)
    np.testing.assert_allclose(follow(sgd(0.1, momentum=0.9)), path, rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("rate", [0.0, -1e-3, float("nan"), float("inf")])
def test_learning_rates_that_cannot_learn_are_refused(name, rate):
    with pytest.raises(ValueError, match=f"learning_rate={rate}: it must be"):
        OPTIMIZERS[name](rate)


@pytest.mark.parametrize(
    ("make", "fields"),
    [
        (adam, {"b1": 1.0}),
        (adam, {"b2": -0.1}),
        (adam, {"eps": -1e-8}),
        (rmsprop, {"decay": 1.5}),
        (rmsprop, {"eps": -1.0}),
        (sgd, {"momentum": 1.0}),
    ],
)
def test_other_fields_out_of_range_are_refused(make, fields):
    (name,) = fields
    with pytest.raises(ValueError, match=f"{name}=.*it must be"):
        make(1e-3, **fields)


def test_ema_schedule():
    """(1 + step) / (10 + step) while that is smaller, then the decay."""
    schedule = ema_schedule(0.99)
    found = [float(schedule(jnp.int32(step))) for step in (0, 1, 8, 889, 890, 891, 10**6)]
    np.testing.assert_allclose(found, [0.1, 2 / 11, 0.5, 890 / 899, 0.99, 0.99, 0.99], rtol=1e-6)
    assert float(ema_schedule(0.0)(jnp.int32(5))) == 0.0
