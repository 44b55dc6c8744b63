"""The optimizers against their papers' formulas, a few steps by hand in float64."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.optim.optimizers import (
    EMAS,
    OPTIMIZERS,
    adam,
    decay_average,
    half_life_average,
    lazy_regularization_scale,
    no_average,
    optimistic_adam,
    rmsprop,
    sgd,
)
from gan_jax.optim.schedules import cosine, is_off, linear

START = np.array([1.0, -2.0, 0.5])
GRADIENTS = [np.array([0.3, -4.0, 1e-3]), np.array([-0.2, 1.0, 2e-3]), np.array([0.1, 0.0, -5e-3])]
STEPS = [0, 0, 7]  # of training: two updates in one step, then some steps without any


def follow(tx, steps=None) -> Any:
    """The parameters after each gradient."""
    params = jnp.asarray(START, jnp.float32)
    state, path = tx.init(params), []
    for i, gradient in enumerate(GRADIENTS):
        extra = {} if steps is None else {"step": jnp.int32(steps[i])}
        changes, state = tx.update(jnp.asarray(gradient, jnp.float32), state, params, **extra)
        params = optax.apply_updates(params, changes)
        path.append(np.asarray(params))
    return np.array(path)


def ratio(rates, b1s, b2s, eps, eps_root=0.0):
    """Adam's directions at each gradient (Kingma and Ba 2015, algorithm 1)."""
    m, v = np.zeros(3), np.zeros(3)
    for t, (g, rate, b1, b2) in enumerate(zip(GRADIENTS, rates, b1s, b2s, strict=True), start=1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        yield rate, (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t) + eps_root) + eps)


def adam_path(rates, b1s, b2s, eps, eps_root=0.0):
    params, path = START, []
    for rate, direction in ratio(rates, b1s, b2s, eps, eps_root):
        params = params - rate * direction
        path.append(params)
    return path


def test_adam():
    expected = adam_path([0.1] * 3, [0.5] * 3, [0.99] * 3, 1e-4)
    np.testing.assert_allclose(follow(adam(0.1, 0.5, 0.99, 1e-4)), expected, rtol=1e-5)


def test_adam_with_an_epsilon_under_the_root():
    expected = adam_path([0.1] * 3, [0.5] * 3, [0.99] * 3, 1e-4, 1e-3)
    np.testing.assert_allclose(follow(adam(0.1, 0.5, 0.99, 1e-4, 1e-3)), expected, rtol=1e-5)


def test_adams_defaults_are_the_papers():
    np.testing.assert_array_equal(follow(adam(0.1)), follow(adam(0.1, 0.9, 0.999, 1e-8)))


def test_without_schedules_and_options_nothing_differs_from_optax():
    """Neither the numbers nor the state that checkpoints hold."""
    pairs: list[Any] = [
        (adam(0.1, 0.5), optax.adam(0.1, 0.5)),
        (rmsprop(0.1), optax.rmsprop(0.1, 0.9, 1e-7, eps_in_sqrt=False)),
        (sgd(0.1), optax.sgd(0.1)),
        (sgd(0.1, 0.9), optax.sgd(0.1, 0.9)),
        (optimistic_adam(0.1, 0.5), optax.optimistic_adam_v2(0.1, b1=0.5, nesterov=False)),
    ]
    for ours, theirs in pairs:
        np.testing.assert_array_equal(follow(ours), follow(theirs))
        params = jnp.asarray(START, jnp.float32)
        jax.tree.map(np.testing.assert_array_equal, ours.init(params), theirs.init(params))


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


def heavy_ball(rates, momenta):
    velocity, params, path = np.zeros(3), START, []
    for g, rate, momentum in zip(GRADIENTS, rates, momenta, strict=True):
        velocity = momentum * velocity + g
        params = params - rate * velocity
        path.append(params)
    return path


def test_heavy_ball():
    np.testing.assert_allclose(follow(sgd(0.1, momentum=0.9)), heavy_ball([0.1] * 3, [0.9] * 3), rtol=1e-6)


# Optimistic Adam


def test_optimistic_adam():
    """Daskalakis et al. 2018, algorithm 1, from r_0 = r_1: theta -= 2 rate r_t - rate r_{t-1}."""
    params, path, last = START, [], None
    for rate, direction in ratio([0.1] * 3, [0.5] * 3, [0.99] * 3, 1e-4):
        last = direction if last is None else last
        params = params - 2 * rate * direction + rate * last
        last = direction
        path.append(params)
    np.testing.assert_allclose(follow(optimistic_adam(0.1, 0.5, 0.99, 1e-4)), path, rtol=1e-5)


def play(tx, steps=3000) -> Any:
    """Distances from the equilibrium of min_x max_y x y, both players moving at once from (1, 1)."""

    def step(carry, i):
        (x, y), (of_x, of_y) = carry
        dx, of_x = tx.update(y, of_x, x, step=i)
        dy, of_y = tx.update(-x, of_y, y, step=i)
        x, y = x + dx, y + dy
        return ((x, y), (of_x, of_y)), jnp.hypot(x, y)

    one = jnp.float32(1.0)
    return np.asarray(jax.lax.scan(step, ((one, one), (tx.init(one), tx.init(one))), jnp.arange(steps))[1])


def test_optimism_converges_on_the_bilinear_game_and_descent_does_not():
    rate, decays = 0.05, (0.0, 0.999)
    assert play(optimistic_adam(rate, *decays))[-1] < 1e-6
    assert play(adam(rate, *decays))[-500:].min() > 0.5  # it goes round
    distances = play(sgd(rate))
    np.testing.assert_allclose(distances[-1] / distances[0], (1 + rate**2) ** (2999 / 2), rtol=1e-3)


# Schedules of the train step, which is not the number of updates


def test_adam_with_schedules():
    rate, b1, b2 = linear(0.1, 0.3, 10), cosine(0.9, 0.5, 10), linear(0.99, 0.9, 10)
    rates = [0.1 + 0.02 * s for s in STEPS]
    b1s = [0.5 + 0.4 * (1 + math.cos(math.pi * s / 10)) / 2 for s in STEPS]
    b2s = [0.99 - 0.009 * s for s in STEPS]
    expected = adam_path(rates, b1s, b2s, 1e-4)
    np.testing.assert_allclose(follow(adam(rate, b1, b2, 1e-4), STEPS), expected, rtol=1e-5)


def test_one_schedule_alone_leaves_the_others_constant():
    expected = adam_path([0.1 + 0.02 * s for s in STEPS], [0.5] * 3, [0.99] * 3, 1e-4)
    np.testing.assert_allclose(
        follow(adam(linear(0.1, 0.3, 10), 0.5, 0.99, 1e-4), STEPS), expected, rtol=1e-5
    )


def test_rmsprop_with_schedules():
    v, params, path = np.zeros(3), START, []
    for g, s in zip(GRADIENTS, STEPS, strict=True):
        decay = 0.9 - 0.04 * s
        v = decay * v + (1 - decay) * g**2
        params = params - (0.1 + 0.02 * s) * g / (np.sqrt(v) + 1e-3)
        path.append(params)
    tx = rmsprop(linear(0.1, 0.3, 10), linear(0.9, 0.5, 10), 1e-3)
    np.testing.assert_allclose(follow(tx, STEPS), path, rtol=1e-5)


def test_heavy_ball_with_schedules():
    expected = heavy_ball([0.1 + 0.02 * s for s in STEPS], [0.05 * s for s in STEPS])
    tx = sgd(linear(0.1, 0.3, 10), linear(0.0, 0.5, 10))
    np.testing.assert_allclose(follow(tx, STEPS), expected, rtol=1e-5)


def test_optimistic_adam_with_schedules():
    """The optimism follows the learning rate."""
    params, path, last = START, [], None
    rates = [0.1 + 0.02 * s for s in STEPS]
    for rate, direction in ratio(rates, [0.5] * 3, [0.99] * 3, 1e-4):
        last = direction if last is None else last
        params = params - 2 * rate * direction + rate * last
        last = direction
        path.append(params)
    tx = optimistic_adam(linear(0.1, 0.3, 10), 0.5, 0.99, 1e-4)
    np.testing.assert_allclose(follow(tx, STEPS), path, rtol=1e-5)


def test_a_learning_rate_of_0_for_a_while_stands_still():
    path = follow(sgd(linear(0.0, 0.1, 2, delay=3)), [0, 3, 5])
    np.testing.assert_array_equal(path[:2], [START, START])
    assert (path[2] != path[1])[:1].all()


def test_constants_need_no_step_and_schedules_say_so():
    np.testing.assert_array_equal(follow(adam(0.1)), follow(adam(0.1), STEPS))
    with pytest.raises(ValueError, match=r"needs the train step: tx\.update\(\.\.\., step=state\.step\)"):
        follow(adam(linear(0.1, 0.2, 3)))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_schedules_work_within_optax_and_under_jit_and_vmap(name):
    options = {"weight_clip": 1.5, "historical_averaging": 0.1}
    tx = OPTIMIZERS[name](linear(0.1, 0.3, 10), **options)
    wrapped = optax.chain(optax.identity(), optax.with_extra_args_support(tx))
    params = jnp.asarray(START, jnp.float32)

    def two(gradient, tx=tx):
        moved, state = params, tx.init(params)
        for step in (1, 2):
            changes, state = tx.update(gradient, state, moved, step=jnp.int32(step))
            moved = optax.apply_updates(moved, changes)
        return moved

    gradients = jnp.asarray(GRADIENTS, jnp.float32)
    expected = np.array([two(gradient) for gradient in gradients])
    np.testing.assert_allclose(jax.jit(jax.vmap(two))(gradients), expected, rtol=1e-5)
    np.testing.assert_allclose(two(gradients[0], wrapped), expected[0], rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_state_holds_only_arrays_and_an_interrupted_run_goes_on_with_the_same_bits(name):
    tx = OPTIMIZERS[name](linear(0.1, 0.3, 10), weight_clip=1.5, historical_averaging=0.1)
    update = jax.jit(tx.update)

    def run(params, state, gradients, steps):
        for gradient, step in zip(gradients, steps, strict=True):
            changes, state = update(jnp.asarray(gradient, jnp.float32), state, params, step=jnp.int32(step))
            params = optax.apply_updates(params, changes)
        return params, state

    start = jnp.asarray(START, jnp.float32)
    whole = run(start, tx.init(start), GRADIENTS, STEPS)
    params, state = run(start, tx.init(start), GRADIENTS[:2], STEPS[:2])
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(state))
    params, state = jax.tree.map(lambda x: jnp.asarray(np.asarray(x).copy()), (params, state))
    resumed = run(params, state, GRADIENTS[2:], STEPS[2:])
    jax.tree.map(np.testing.assert_array_equal, whole, resumed)


def test_the_state_may_be_donated():
    """No two of its leaves, nor a parameter, share a buffer."""
    tx = adam(0.1, weight_clip=1.5, historical_averaging=0.1)
    params = jnp.asarray(START, jnp.float32)
    state = tx.init(params)

    def step(params, state):
        changes, state = tx.update(params, state, params)
        return optax.apply_updates(params, changes), state

    step = jax.jit(step, donate_argnums=(0, 1))
    params, state = step(params, state)
    params, state = step(params, state)
    assert np.isfinite(params).all()


# RMSprop's two forms


@pytest.mark.parametrize("eps_in_root", [False, True])
@pytest.mark.parametrize("size", [1.0, 1e-3, 1e-6])
def test_rmsprops_epsilon_is_beside_or_under_the_root(size, eps_in_root):
    """Keras 2 and PyTorch: g / (root v + eps). Keras 3: g / root (v + eps)."""
    gradients = size * np.array([1.0, -0.3, 2.0])
    tx = rmsprop(0.1, 0.9, 1e-7, eps_in_root)
    params = {"w": jnp.float32(0.0)}
    state, square, expected = tx.init(params), 0.0, 0.0
    for g in gradients:
        changes, state = tx.update({"w": jnp.float32(g)}, state, params, step=jnp.int32(0))
        params = optax.apply_updates(params, changes)
        square = 0.9 * square + (1 - 0.9) * g**2
        expected -= 0.1 * g / (np.sqrt(square + 1e-7) if eps_in_root else np.sqrt(square) + 1e-7)
    np.testing.assert_allclose(params["w"], expected, rtol=1e-4)


def test_rmsprops_form_is_true_or_false():
    with pytest.raises(ValueError, match="eps_in_root='yes': it must be True or False"):
        rmsprop(0.1, eps_in_root="yes")  # type: ignore[arg-type]


# The pace beside lazy descents


def test_lazy_pace():
    """StyleGAN2, appendix B: c = k / (k + 1) for one lazy penalty at every k steps."""
    assert lazy_regularization_scale([]) == 1.0
    assert lazy_regularization_scale([16]) == pytest.approx(16 / 17)
    assert lazy_regularization_scale([4, 8]) == pytest.approx(1 / (1 + 1 / 4 + 1 / 8))
    assert lazy_regularization_scale([1, 16, 1]) == lazy_regularization_scale(
        [16]
    )  # what acts at every step is no descent of its own


@pytest.mark.parametrize("interval", [0, -1, 1.5, True])
def test_impossible_intervals_are_refused(interval):
    with pytest.raises(ValueError, match=r"interval=.*positive integer"):
        lazy_regularization_scale([4, interval])


def test_paced_optimizers_have_a_smaller_rate_and_longer_memory():
    c, near = 0.8, partial(np.testing.assert_allclose, rtol=1e-6)
    near(follow(adam(0.1, 0.5, 0.99, lazy_regularization_scale=c)), follow(adam(0.1 * c, 0.5**c, 0.99**c)))
    near(
        follow(optimistic_adam(0.1, 0.5, 0.99, lazy_regularization_scale=c)),
        follow(optimistic_adam(0.1 * c, 0.5**c, 0.99**c)),
    )
    near(follow(rmsprop(0.1, 0.9, lazy_regularization_scale=c)), follow(rmsprop(0.1 * c, 0.9**c)))
    near(follow(sgd(0.1, lazy_regularization_scale=c)), follow(sgd(0.1)))
    near(
        follow(sgd(0.1, historical_averaging=0.3, lazy_regularization_scale=c)),
        follow(sgd(0.1, historical_averaging=0.3 * c)),
    )
    in_all = (1 - 0.9**c) / (1 - 0.9)  # a gradient moves by as much, sooner or later
    near(follow(sgd(0.1, 0.9, lazy_regularization_scale=c)), follow(sgd(0.1 * in_all, 0.9**c)))
    near(follow(adam(0.1, 0.0, 0.9, lazy_regularization_scale=c)), follow(adam(0.1 * c, 0.0, 0.9**c)))
    b1s = [(0.5 + 0.04 * s) ** c for s in STEPS]
    expected = adam_path([(0.1 + 0.02 * s) * c for s in STEPS], b1s, [0.99**c] * 3, 1e-4)
    tx = adam(linear(0.1, 0.3, 10), linear(0.5, 0.9, 10), 0.99, 1e-4, lazy_regularization_scale=c)
    np.testing.assert_allclose(follow(tx, STEPS), expected, rtol=1e-5)


@pytest.mark.parametrize("lazy_regularization_scale", [0.0, -0.5, 1.1, float("nan"), "1"])
def test_impossible_paces_are_refused(lazy_regularization_scale):
    with pytest.raises(ValueError, match=r"lazy_regularization_scale=.*must be"):
        adam(0.1, lazy_regularization_scale=lazy_regularization_scale)


# Weight clipping


def clipped_run(tx, params, gradients):
    @jax.jit
    def step(params, state, gradient):
        changes, state = tx.update(gradient, state, params)
        return optax.apply_updates(params, changes), state

    state, path = tx.init(params), []
    for gradient in gradients:
        params, state = step(params, state, gradient)
        path.append(np.asarray(params))
    return path


@pytest.mark.parametrize("limit", [0.01, 0.1, 0.3])
@pytest.mark.parametrize("make", [sgd, rmsprop, adam])
def test_clipped_weights_are_within_the_limits_to_the_last_bit(limit, make):
    """From weights far outside, with small steps and with some from one limit to the other.

    The first step comes from so far that it can only arrive within the rounding of so large an update.
    """
    rng = np.random.default_rng(0)
    start = jnp.asarray(rng.normal(size=20_000) * 0.3, jnp.float32)
    gradients = jnp.asarray(rng.normal(size=(6, 20_000)), jnp.float32)
    bound = np.float32(limit)
    for rate in (0.05, 1.5):
        path = clipped_run(make(rate * limit, weight_clip=limit), start, gradients)
        for step, params in enumerate(path):
            assert (np.abs(params) <= bound).all()
            at_limit = np.abs(params)[np.abs(params) > bound * 0.99999]
            assert at_limit.size > 1000
            short = (bound - at_limit) / np.spacing(bound if step else np.float32(2.0))
            assert (short <= 3).mean() > 0.99  # the others came near it by themselves


def test_clipping_is_the_papers_algorithm():
    """Arjovsky et al. 2017, algorithm 1: w <- clip(w + step, -c, c), in float64."""
    v, params, path = np.zeros(3), START, []
    for g in GRADIENTS:
        v = 0.9 * v + 0.1 * g**2
        params = np.clip(params - 0.3 * g / (np.sqrt(v) + 1e-3), -0.7, 0.7)
        path.append(params)
    found = follow(rmsprop(0.3, 0.9, 1e-3, weight_clip=0.7))
    np.testing.assert_allclose(found, path, rtol=1e-5, atol=1e-7)
    assert (np.abs(path) == 0.7).any()
    assert (np.abs(path) < 0.7).any()


def test_clipping_changes_nothing_where_it_does_not_act():
    np.testing.assert_array_equal(follow(adam(0.1, weight_clip=50.0)), follow(adam(0.1)))


def test_every_leaf_is_clipped():
    params = {"kernel": jnp.full((2, 3), 0.5), "bias": jnp.full(3, -0.5), "scale": jnp.float32(1.0)}
    tx = sgd(0.1, weight_clip=0.01)
    changes, _ = tx.update(jax.tree.map(jnp.zeros_like, params), tx.init(params), params)
    moved = optax.apply_updates(params, changes)
    for leaf in jax.tree.leaves(jax.tree.map(np.abs, moved)):
        np.testing.assert_allclose(leaf, 0.01, rtol=1e-5)


def test_clipped_steps_can_be_differentiated():
    """Unrolled GANs differentiate through the optimizer: the gradient is 1 inside and 0 at the limit."""
    tx = sgd(0.1, weight_clip=0.5)

    def moved(gradient):
        params = jnp.array([0.45, 0.45, 0.9, -0.49], jnp.float32)
        return jnp.sum(optax.apply_updates(params, tx.update(gradient, tx.init(params), params)[0]))

    gradient = jax.grad(moved)(jnp.array([1.0, -1.0, 0.0, 0.2], jnp.float32))
    np.testing.assert_allclose(gradient, [-0.1, 0.0, 0.0, 0.0], atol=1e-8)


# Historical averaging


def test_historical_averaging():
    """Salimans et al. 2016: the gradient of w |theta - mean of the past|^2 is 2 w (theta - mean)."""
    past: list[Any] = []
    weight, params, path = 0.4, START, []
    for g in GRADIENTS:
        pull = 2 * weight * (params - np.mean(past, axis=0)) if past else 0.0
        past.append(params)
        params = params - 0.1 * (g + pull)
        path.append(params)
    np.testing.assert_allclose(follow(sgd(0.1, historical_averaging=weight)), path, rtol=1e-6)


def test_historical_averaging_comes_before_the_optimizer():
    """Adam's moments see the pull."""
    past: list[Any] = []
    params, m, v, path = START, np.zeros(3), np.zeros(3), []
    for t, g in enumerate(GRADIENTS, start=1):
        g = g + (2 * 0.4 * (params - np.mean(past, axis=0)) if past else 0.0)
        past.append(params)
        m, v = 0.5 * m + 0.5 * g, 0.9 * v + 0.1 * g**2
        params = params - 0.1 * (m / (1 - 0.5**t)) / (np.sqrt(v / (1 - 0.9**t)) + 1e-4)
        path.append(params)
    tx = adam(0.1, 0.5, 0.9, 1e-4, historical_averaging=0.4)
    np.testing.assert_allclose(follow(tx), path, rtol=1e-5)


def test_the_mean_of_many_past_parameters():
    tx, rng = sgd(0.1, historical_averaging=0.1), np.random.default_rng(0)
    past = rng.normal(size=(500, 3))
    update, state = jax.jit(tx.update), tx.init(jnp.zeros(3))
    for params in past:
        _, state = update(jnp.zeros(3), state, jnp.asarray(params, jnp.float32))
    means = [leaf for leaf in jax.tree.leaves(state) if leaf.shape == (3,)]
    np.testing.assert_allclose(means, [past.mean(0)], atol=1e-6)


def test_historical_averaging_brings_the_bilinear_game_to_rest():
    """Where plain descent spirals outwards; section 3.3 of the paper: it finds equilibria of low
    dimensional games that descent misses."""
    assert play(sgd(0.05, historical_averaging=0.5))[-1] < 0.5 < play(sgd(0.05))[-1]


@pytest.mark.parametrize("option", ["weight_clip", "historical_averaging"])
def test_options_need_the_parameters(option):
    fields: dict[str, Any] = {option: 0.1}
    tx = sgd(0.1, **fields)
    with pytest.raises(ValueError, match=r"params=None: .*need tx\.update"):
        tx.update(jnp.zeros(3), tx.init(jnp.zeros(3)))


# Finite gradients


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_finite_gradients_replace_what_is_not_finite(name):
    """Every update is that of 0 for NaN and of +-1e5 for infinity; finite gradients are untouched."""
    given = jnp.array([jnp.nan, jnp.inf, -jnp.inf, 0.3])
    tx, plain = OPTIMIZERS[name](0.1, finite_gradients=True), OPTIMIZERS[name](0.1)
    params = jnp.zeros(4)
    found, _ = tx.update(given, tx.init(params), params)
    expected, _ = plain.update(jnp.array([0.0, 1e5, -1e5, 0.3]), plain.init(params), params)
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="finite_gradients=1: it must be True or False"):
        OPTIMIZERS[name](0.1, finite_gradients=1)


# What is refused


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("rate", [0.0, -1e-3, float("nan"), float("inf"), "0.1", None, True])
def test_learning_rates_that_cannot_learn_are_refused(name, rate):
    with pytest.raises(ValueError, match=f"learning_rate={rate!r}: it must be"):
        OPTIMIZERS[name](rate)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_learning_rates_that_turn_negative_are_refused(name):
    with pytest.raises(ValueError, match="learning_rate: its extremes are"):
        OPTIMIZERS[name](linear(1e-3, -1e-3, 10))


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("option", ["weight_clip", "historical_averaging"])
@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), "1", None])
def test_impossible_options_are_refused(name, option, value):
    with pytest.raises(ValueError, match=f"{option}={value!r}: it must be"):
        OPTIMIZERS[name](1e-3, **{option: value})


@pytest.mark.parametrize(
    ("make", "fields"),
    [
        (adam, {"b1": 1.0}),
        (adam, {"b1": float("nan")}),
        (adam, {"b2": -0.1}),
        (adam, {"b2": linear(0.9, 1.0, 10)}),
        (adam, {"eps": -1e-8}),
        (adam, {"eps_root": -1e-8}),
        (optimistic_adam, {"b1": 1.0}),
        (optimistic_adam, {"eps": float("inf")}),
        (rmsprop, {"decay": 1.5}),
        (rmsprop, {"eps": -1.0}),
        (sgd, {"momentum": 1.0}),
        (sgd, {"momentum": "0.9"}),
    ],
)
def test_other_fields_out_of_range_are_refused(make, fields):
    (name,) = fields
    with pytest.raises(ValueError, match=f"{name}.*it must be"):
        make(1e-3, **fields)


# Moving averages of the weights


def values(schedule, steps) -> Any:
    return np.array([schedule(jnp.int32(step)) for step in steps])


def test_no_average():
    assert is_off(no_average())
    assert (values(no_average(), [0, 5]) == 0).all()


def test_decay_average():
    """(1 + step) / (10 + step) while that is smaller, then the decay."""
    found = values(decay_average(0.99), (0, 1, 8, 889, 890, 891, 10**6))
    np.testing.assert_allclose(found, [0.1, 2 / 11, 0.5, 890 / 899, 0.99, 0.99, 0.99], rtol=1e-6)
    assert values(decay_average(0.0), [5]) == 0.0


@pytest.mark.parametrize(("images", "batch_size"), [(10_000, 32), (512, 64), (500.0, 100), (1, 64)])
def test_after_the_half_life_the_old_weights_count_half(images, batch_size):
    decay = values(half_life_average(images, batch_size, ramp_up=0.0), [0, 1, 10**6])
    np.testing.assert_allclose(decay ** (images / batch_size), 0.5, rtol=1e-4)


def test_the_half_life_grows_with_the_images_seen():
    """min(images, ramp_up * images seen so far), as in StyleGAN2-ADA; the first average is the generator."""
    images, batch, ramp_up = 10_000, 32, 0.05
    steps = np.array([0, 1, 2, 50, 6249, 6250, 6251, 10**5, 2**31 - 2])
    half_life = np.minimum(images, ramp_up * steps * batch)
    with np.errstate(divide="ignore"):
        expected = 0.5 ** (batch / half_life)
    np.testing.assert_allclose(values(half_life_average(images, batch), steps), expected, rtol=1e-5)
    jitted = jax.jit(jax.vmap(half_life_average(images, batch)))(jnp.asarray(steps, jnp.int32))
    np.testing.assert_allclose(jitted, expected, rtol=1e-5)


def test_a_half_life_may_be_a_schedule():
    """R3GAN's goes from 0, where the average is the generator, to its end."""
    schedule = cosine(0.0, 5_000.0, 100)
    steps = np.array([0, 1, 50, 100, 10**6])
    half_life = 5_000 * (1 - np.cos(np.pi * np.minimum(steps / 100, 1))) / 2
    with np.errstate(divide="ignore"):
        expected = 0.5 ** (32 / half_life)
    np.testing.assert_allclose(values(half_life_average(schedule, 32), steps), expected, rtol=1e-5)


@pytest.mark.parametrize("decay", [-0.1, 1.0, 1.5, float("nan"), "0.9", None])
def test_impossible_decays_are_refused(decay):
    with pytest.raises(ValueError, match=f"decay={decay!r}: it must be"):
        EMAS["decay"](decay)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"images": 0.0}, "images=0.0"),
        ({"images": -5}, "images=-5"),
        ({"images": float("inf")}, "images=inf"),
        ({"images": "10k"}, "images='10k'"),
        ({"images": 32 * 2**26}, "images=2147483648: it must be positive and below 134217728"),
        ({"images": cosine(-1.0, 10.0, 5)}, "images: its extremes are"),
        ({"ramp_up": -0.1}, "ramp_up=-0.1"),
        ({"ramp_up": float("nan")}, "ramp_up=nan"),
        ({"batch_size": 0}, "batch_size=0"),
    ],
)
def test_impossible_half_lives_are_refused(fields, wrong):
    with pytest.raises(ValueError, match=f"^{wrong}.*it must be|^{wrong}"):
        EMAS["half_life"](**{"images": 1000, "batch_size": 32, **fields})


@pytest.mark.parametrize(("pair", "optimizer"), [("adam", "Adam"), ("sgd", "SGD")])
def test_parity_with_torch(pair, optimizer):
    torch = pytest.importorskip("torch")
    params = torch.tensor(START, requires_grad=True)
    options: Any = {"adam": {"betas": (0.5, 0.99), "eps": 1e-4}, "sgd": {"momentum": 0.9}}
    theirs, path = getattr(torch.optim, optimizer)([params], lr=0.1, **options[pair]), []
    for gradient in GRADIENTS:
        params.grad = torch.tensor(gradient)
        theirs.step()
        path.append(params.detach().numpy().copy())
    ours = adam(0.1, 0.5, 0.99, 1e-4) if pair == "adam" else sgd(0.1, 0.9)
    np.testing.assert_allclose(follow(ours), path, rtol=1e-5)
