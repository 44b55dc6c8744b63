"""Self-attention against loops over positions."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.models.layers.attention import SelfAttention, max_pool
from tests.devices import assert_close, everything, split_run

KEY = jax.random.key(0)
SIZES = [(4, 6), (5, 3), (1, 1), (1, 4)]


def array(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


# Pooling


def pooled(x):
    """The largest of each 2x2 block, blocks at the far edges cut where the image ends."""
    b, h, w, c = x.shape
    y = np.full((b, -(-h // 2), -(-w // 2), c), -np.inf)
    for i in range(h):
        for j in range(w):
            y[:, i // 2, j // 2] = np.maximum(y[:, i // 2, j // 2], x[:, i, j])
    return y


@pytest.mark.parametrize("size", SIZES)
def test_pooling_is_the_loop(size):
    x = array(0, 2, *size, 3) - 5  # negative: padding with zeros would show
    np.testing.assert_array_equal(max_pool(x), pooled(x))


@pytest.mark.parametrize("size", SIZES)
def test_pooling_gives_the_gradient_to_the_largest(size):
    x, weights = array(0, 2, *size, 3), array(1, 2, -(-size[0] // 2), -(-size[1] // 2), 3)
    gradient = jax.grad(lambda x: jnp.sum(weights * max_pool(x)))(x)
    spread = weights.repeat(2, 1).repeat(2, 2)[:, : size[0], : size[1]]
    largest = pooled(x).repeat(2, 1).repeat(2, 2)[:, : size[0], : size[1]] == x
    np.testing.assert_allclose(gradient, np.where(largest, spread, 0), rtol=1e-6)


# Attention


def start(x, gamma=0.7, **fields):
    layer = SelfAttention(**fields)
    variables = jax.jit(layer.init)(KEY, x)
    return layer, {**variables, "params": {**variables["params"], "gamma": np.float32(gamma)}}


def attend(x, params):
    """x + gamma * output(sum over positions j of softmax_j(query_i . key_j) value_j), float64."""
    kernel = {
        name: np.asarray(layer["kernel"], np.float64)[0, 0]
        for name, layer in params.items()
        if isinstance(layer, dict)
    }
    x = np.float64(x)
    y = x.copy()
    for n in range(len(x)):
        keys = pooled(x[n : n + 1] @ kernel["key"])[0].reshape(-1, kernel["key"].shape[1])
        values = pooled(x[n : n + 1] @ kernel["value"])[0].reshape(-1, kernel["value"].shape[1])
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                scores = np.array([x[n, i, j] @ kernel["query"] @ key for key in keys])
                weights = np.exp(scores - scores.max())
                seen = (weights / weights.sum()) @ values
                y[n, i, j] += float(params["gamma"]) * (seen @ kernel["output"])
    return y


@pytest.mark.parametrize("channels", [16, 5, 1])
@pytest.mark.parametrize("size", SIZES)
def test_attention_is_the_loop(size, channels):
    x = 3 * array(0, 2, *size, channels)
    layer, variables = start(x)
    narrow, half = max(channels // 8, 1), max(channels // 2, 1)
    shapes = {"query": (channels, narrow), "key": (channels, narrow), "value": (channels, half)}
    shapes["output"] = (half, channels)
    expected = {name: {"kernel": (1, 1, *shape)} for name, shape in shapes.items()}
    assert jax.tree.map(jnp.shape, variables) == {"params": {"gamma": (), **expected}}
    np.testing.assert_allclose(
        jax.jit(layer.apply)(variables, x), attend(x, variables["params"]), rtol=1e-4, atol=1e-4
    )


def test_attention_starts_as_the_identity_and_can_leave_it():
    x = array(0, 2, 4, 6, 16)
    layer: Any = SelfAttention()
    variables = jax.jit(layer.init)(KEY, x)
    np.testing.assert_array_equal(jax.jit(layer.apply)(variables, x), x)
    gradient = jax.jit(jax.grad(lambda v: jnp.sum(layer.apply(v, x) ** 2)))(variables)["params"]
    assert abs(gradient["gamma"]) > 1e-3
    np.testing.assert_array_equal(gradient["output"]["kernel"], 0)


def test_spectral_norm_divides_all_four_kernels():
    x = array(0, 2, 4, 6, 16)
    layer, variables = start(x, spectral_norm=True)
    assert set(variables["spectral"]) == {"query", "key", "value", "output"}
    train = jax.jit(lambda v: {**v, **layer.apply(v, x, True, mutable=["spectral"])[1]})
    for _ in range(200):
        variables = train(variables)
    params = dict(variables["params"])
    for name in variables["spectral"]:
        kernel = np.asarray(params[name]["kernel"], np.float64)
        params[name] = {"kernel": kernel / np.linalg.norm(kernel[0, 0], 2)}
    np.testing.assert_allclose(layer.apply(variables, x), attend(x, params), rtol=1e-4, atol=1e-4)


def penalised(layer):
    """A mean over examples, and R1, whose gradient is of second order."""

    def loss(params, rows):
        x, weights = rows

        def total(x):
            return jnp.sum(jnp.tanh(layer.apply(params, x, True)))

        y = layer.apply(params, x, True)
        return jnp.mean(weights * y) + jnp.mean(jnp.square(jax.grad(total)(x))), y

    return loss


def test_gradients_of_both_orders_by_differences():
    x = array(0, 2, 3, 4, 8)
    rows = (x, array(1, *x.shape))
    layer, variables = start(x)
    loss = penalised(layer)
    directions = jax.tree.map(lambda leaf: array(2, *leaf.shape), variables)
    with jax.enable_x64(True):
        rows, variables, directions = jax.tree.map(np.float64, (rows, variables, directions))
        gradient = jax.jit(jax.grad(lambda v: loss(v, rows)[0]))(variables)
        slope = sum(jax.tree.leaves(jax.tree.map(lambda a, b: np.sum(a * b), gradient, directions)))
        along = jax.jit(lambda t: loss(jax.tree.map(lambda v, d: v + t * d, variables, directions), rows)[0])
        differences = (float(along(1e-6)) - float(along(-1e-6))) / 2e-6
    np.testing.assert_allclose(slope, differences, rtol=1e-6)


def test_a_split_batch_changes_nothing():
    x = array(0, 16, 3, 4, 8)
    rows = (x, array(1, *x.shape))
    layer, variables = start(x, spectral_norm=True)
    run = everything(penalised(layer))  # each example alone, so one way of splitting will do

    def on_params(params, rows):
        return run({"params": params, "spectral": variables["spectral"]}, rows)

    (expected, (value, inner)) = jax.jit(on_params)(variables["params"], rows)
    found, (split_value, split_inner) = split_run("shard_map", on_params, variables["params"], rows)
    assert_close(found, expected)
    assert_close(split_value, value)
    assert_close(split_inner["params"], inner["params"])


def test_seeds_are_independent():
    x = array(0, 2, 3, 4, 8)
    layer: Any = SelfAttention()
    params = jax.jit(jax.vmap(lambda key: layer.init(key, x)))(jax.random.split(KEY, 2))
    params = {"params": {**params["params"], "gamma": np.array([0.5, 2.0], np.float32)}}
    found = jax.jit(jax.vmap(lambda v: layer.apply(v, x)))(params)
    for seed in range(2):
        alone = layer.apply(jax.tree.map(lambda leaf: leaf[seed], params), x)  # noqa: B023
        np.testing.assert_allclose(found[seed], alone, rtol=1e-5, atol=1e-6)
