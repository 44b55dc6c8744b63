"""Layers by hand, and the same on a batch that is split over devices."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.models.layers.layers import ACTIVATIONS, UPSAMPLINGS, Dense, Dropout, Embed, Upsample, choose

KEY = jax.random.key(0)


def array(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


X = array(0, 16, 3, 2, 4) * np.array([1, 2, 5, 0.1], np.float32) + np.array([0, 3, -2, 1], np.float32)


# Dense, Embed


class TwoDense(nn.Module):
    """With and without a bias, named and unnamed, made of this class."""

    dense: type

    @nn.compact
    def __call__(self, x):
        init = nn.initializers.glorot_uniform()
        x = self.dense(5, kernel_init=init, name="first")(x)
        return self.dense(2, use_bias=False, kernel_init=nn.initializers.normal(0.02))(jnp.tanh(x))


@pytest.mark.parametrize("shape", [(4,), (7, 4), (2, 3, 4)])
def test_dense_is_flaxs_bit_for_bit(shape):
    x = array(0, *shape)
    expected = TwoDense(nn.Dense).init_with_output(KEY, x)
    jax.tree.map(np.testing.assert_array_equal, TwoDense(Dense).init_with_output(KEY, x), expected)
    params = jax.tree.map(lambda leaf: leaf + 0.1, expected[1])  # biases too
    mine, flaxs = (TwoDense(kind).apply(params, x) for kind in (Dense, nn.Dense))
    np.testing.assert_array_equal(mine, flaxs)


def test_dense_starts_in_glorots_range_unless_told():
    kernel = Dense(200).init(KEY, np.ones((1, 100), np.float32))["params"]["kernel"]
    limit = (6 / 300) ** 0.5
    assert 0.99 * limit < np.abs(kernel).max() <= limit


def test_embeddings_are_the_rows_of_their_table():
    label = np.array([2, 0, 2, 4], np.int32)
    layer: Any = Embed(5, 3)
    y, variables = layer.init_with_output(KEY, label)
    table = variables["params"]["embedding"]
    assert jax.tree.map(jnp.shape, variables) == {"params": {"embedding": (5, 3)}}
    np.testing.assert_array_equal(y, np.asarray(table)[label])
    gradient = jax.grad(lambda v: jnp.sum(layer.apply(v, label)))(variables)["params"]["embedding"]
    np.testing.assert_array_equal(gradient, np.array([1, 0, 2, 0, 1])[:, None] * np.ones(3))
    assert np.isnan(layer.apply(variables, np.array([5], np.int32))).all()


def test_embeddings_of_one_hot_vectors_are_refused():
    with pytest.raises(ValueError, match="labels as integers, not float32"):
        Embed(5, 3).init(KEY, np.ones((2, 5), np.float32))


# Dropout


def drop(x, rate, train=True, axis_name=None, key=KEY):
    return Dropout(rate, axis_name).apply({}, x, train, rngs={"dropout": key})


def test_dropout_scales_by_the_exact_share_that_it_keeps():
    """0.4 is 102/256: what is kept is divided by 154/256, so the mean is unbiased."""
    x = np.ones((64, 20, 30), np.float32)
    y = np.asarray(drop(x, 0.4))
    np.testing.assert_allclose(np.unique(y), [0, 256 / 154], rtol=1e-6)
    deviation = np.sqrt((256 / 154 - 1) / y.size)  # of the mean
    assert abs(y.mean() - 1) < 5 * deviation


def test_dropout_is_off_in_evaluation_and_at_rate_0():
    np.testing.assert_array_equal(drop(X, 0.4, train=False), X)
    np.testing.assert_array_equal(drop(X, 0.0), X)
    np.testing.assert_array_equal(Dropout(0.4).apply({}, X, False), X)  # and needs no key


def test_dropout_masks_do_not_depend_on_the_split_of_the_batch():
    whole = drop(X, 0.4)
    mapped = jax.pmap(lambda x: drop(x, 0.4, axis_name="batch"), axis_name="batch")
    split = np.asarray(mapped(X.reshape(8, 2, 3, 2, 4))).reshape(X.shape)
    np.testing.assert_array_equal(split == 0, whole == 0)
    np.testing.assert_allclose(split, whole, rtol=1e-6)
    np.testing.assert_array_equal(drop(X[:5], 0.4), whole[:5])  # nor on its size


def test_dropout_masks_differ_by_example_and_key():
    ones = np.ones((6, 100), np.float32)
    masks = np.concatenate([drop(ones, 0.5), drop(ones, 0.5, key=jax.random.key(1))])
    assert len({mask.tobytes() for mask in masks}) == 12


def test_dropout_stops_the_gradient_where_it_drops():
    gradient = jax.grad(lambda x: jnp.sum(drop(x, 0.25)))(X)
    np.testing.assert_allclose(gradient, np.where(drop(np.ones_like(X), 0.25) > 0, 256 / 192, 0), rtol=1e-6)


@pytest.mark.parametrize("train", [True, False])
def test_impossible_dropout_is_refused_also_where_nothing_is_dropped(train):
    with pytest.raises(ValueError, match=r"rate 1\.2"):
        drop(X, 1.2, train=train)


# Upsample


def linear_weights(n, m):
    """Rows of the interpolation from n to m samples, half-pixel centres, clamped at the ends."""
    weights = np.zeros((m, n))
    for i in range(m):
        place = np.clip((i + 0.5) * n / m - 0.5, 0, n - 1)
        low = int(np.floor(place))
        high = min(low + 1, n - 1)
        weights[i, low] += 1 - (place - low)
        weights[i, high] += place - low
    return weights


def nearest_weights(n, m):
    weights = np.zeros((m, n))
    weights[np.arange(m), ((np.arange(m) + 0.5) * n / m).astype(int)] = 1
    return weights


@pytest.mark.parametrize("size", [(6, 8), (5, 8), (6, 7)])
@pytest.mark.parametrize("method", UPSAMPLINGS)
def test_every_upsampling_gives_the_size_asked_for(method, size):
    x = array(0, 2, 3, 4, 5)
    layer = Upsample(7, 3, size, method)
    y, variables = jax.jit(layer.init_with_output)(KEY, x)
    assert y.shape == (2, *size, 7)
    (weights,) = variables["params"].values()
    kernel = (3, 3, 7, 5) if method == "transpose" else (3, 3, 5, 7)
    assert {name: w.shape for name, w in weights.items()} == {"kernel": kernel, "bias": (7,)}


@pytest.mark.parametrize(("method", "weights"), [("nearest", nearest_weights), ("bilinear", linear_weights)])
@pytest.mark.parametrize("size", [(6, 8), (5, 7)])
def test_resizing_by_hand(method, weights, size):
    """With a 1x1 kernel the convolution mixes channels only, so the resizing shows."""
    x, kernel = array(0, 2, 3, 4, 5), array(1, 1, 1, 5, 7)
    layer = Upsample(7, 1, size, method, use_bias=False)
    found = np.asarray(layer.apply({"params": {"conv": {"kernel": kernel}}}, x))
    resized = np.einsum("ih,jw,nhwc->nijc", weights(3, size[0]), weights(4, size[1]), np.float64(x))
    np.testing.assert_allclose(found, resized @ kernel[0, 0], rtol=1e-4, atol=1e-5)


def test_unknown_upsampling_lists_the_choices():
    with pytest.raises(ValueError, match="transpose, nearest, bilinear"):
        Upsample(7, 3, (6, 8), "cubic").init(KEY, X)


# Tables


def test_activations():
    x = np.array([-2.0, -0.5, 0.0, 0.5, 2.0], np.float32)
    minus = np.minimum(np.float64(x), 0)
    expected = {
        "relu": np.maximum(x, 0),
        "leaky_relu": np.maximum(x, 0) + 0.2 * minus,
        "elu": np.maximum(x, 0) + np.expm1(minus),
        "selu": 1.0507009873554805 * (np.maximum(x, 0) + 1.6732632423543772 * np.expm1(minus)),
        "tanh": np.tanh(x),
        "silu": x / (1 + np.exp(-np.float64(x))),
    }
    assert set(expected) == set(ACTIVATIONS)
    for name, values in expected.items():
        np.testing.assert_allclose(ACTIVATIONS[name](jnp.asarray(x)), values, rtol=1e-5, atol=1e-7)


def test_choose_lists_the_choices():
    with pytest.raises(ValueError, match="activation='reul' is not one of elu, leaky_relu, relu"):
        choose(ACTIVATIONS, "reul", "activation")
