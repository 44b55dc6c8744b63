"""Sums per channel in two steps against those in one, and the layers that take them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.core import launches
from gan_jax.models.layers import sums
from gan_jax.models.layers.conv_cpu import batch_split_over
from gan_jax.models.layers.layers import Conv, ConvTranspose
from gan_jax.models.layers.precision import add_bias

MAPS = (32, 14, 14, 64)  # the first maps of a DCGAN: 6272 rows


@pytest.mark.parametrize(
    ("shape", "readers", "expected"),
    [
        (MAPS, "channels", 28),
        (MAPS, "maps", 4),
        ((32, 28, 28, 1), "channels", 28),  # not 16, for which XLA:GPU has a kernel
        ((32, 7, 7, 128), "channels", 1),  # one kernel anyway
        ((64, 16, 32, 8), "channels", 16),
        ((64, 16, 32, 1), "channels", 1),  # no other divisor
        ((2**10, 64, 64, 3), "channels", 1),  # so much is no matter of launches
    ],
)
def test_in_how_many_parts(shape, readers, expected):
    with launches.on("gpu"):
        assert sums.parts(shape, readers) == expected
        with batch_split_over(2):
            assert sums.parts(shape, readers) == 1
    assert sums.parts(shape, readers) == 1  # on a CPU


def test_the_sums():
    x, y = jax.random.normal(jax.random.key(0), (2, 6, 5, 4, 3))
    for count in (1, 4, 10):
        for found, given in zip(sums.channel_sums(count, x, y), (x, y), strict=True):
            np.testing.assert_allclose(found, given.sum((0, 1, 2)), rtol=1e-5, atol=1e-5)


def layer_gradients(layer, platform, monkeypatch):
    """Of a loss and of a penalty on its gradient, on a CPU as `platform` would compute them."""
    monkeypatch.setattr(sums, "ONE_KERNEL", 2)
    x = jax.random.normal(jax.random.key(0), (6, 5, 4, 3))
    params = jax.tree.map(lambda p: p + 0.1, layer.init(jax.random.key(1), x))

    def loss(params, x):
        return jnp.sum(jnp.sin(layer.apply(params, x)))

    def penalty(params, x):
        return jnp.sum(jax.grad(loss, argnums=1)(params, x) ** 2)

    with launches.on(platform):
        return [jax.value_and_grad(f, argnums=(0, 1))(params, x) for f in (loss, penalty)]


@pytest.mark.parametrize(
    "layer",
    [
        Conv(4, 3, stride=2),
        ConvTranspose(4, 3, (10, 8)),
        ConvTranspose(4, 5, (9, 7), stride=2),
        ConvTranspose(4, 3, (11, 9), padding="VALID"),
    ],
    ids=["conv", "transpose", "odd", "valid"],
)
def test_layers_with_a_bias(layer, monkeypatch):
    ours, plain = (layer_gradients(layer, platform, monkeypatch) for platform in ("gpu", "cpu"))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), ours, plain)


def test_a_bias_in_bfloat16(monkeypatch):
    monkeypatch.setattr(sums, "ONE_KERNEL", 2)
    y, bias = jnp.ones((4, 4, 4, 2), jnp.bfloat16), jnp.zeros(2)
    with launches.on("gpu"):
        out, grad = jax.value_and_grad(lambda b: add_bias(y, b).astype(jnp.float32).sum())(bias)
    assert (out, grad.dtype) == (128.0, jnp.float32)
    np.testing.assert_array_equal(grad, 64.0)
