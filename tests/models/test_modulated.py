"""Modulated convolutions against a kernel for each example, AdaIN and noise against NumPy."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from gan_jax.distributed import parallel
from gan_jax.models.layers.modulated import Modulated, Noise, adain
from tests.devices import AXIS
from tests.models.test_conv import slide, stamp
from tests.models.test_fir import upfirdn

KEY = jax.random.key(0)


def array(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


X, STYLE = array(0, 8, 4, 6, 3), array(1, 8, 3) + 1


def with_its_own_kernel(x, style, kernel, up, demodulate):
    """The paper's equations 1 and 3 on one example after the other, float64."""
    found = []
    for one, scales in zip(x, style.astype(float), strict=True):
        w = np.float64(kernel) * scales[:, None]
        if demodulate:
            w = w / np.sqrt(np.square(w).sum((0, 1, 2)) + 1e-8)
        if not up:
            pad = (w.shape[0] - 1) // 2
            found.append(slide(one[None], w, 1, ((pad, pad), (pad, pad)))[0])
            continue
        size = 2 * one.shape[0] + 1, 2 * one.shape[1] + 1
        stamped = stamp(one[None], w.swapaxes(2, 3), 2, size, ((0, 0), (0, 0)))
        found.append(upfirdn(stamped, (1, 3, 3, 1), 1, 1, (1, 1), 4)[0])
    return np.stack(found)


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize(("size", "up"), [(3, False), (3, True), (1, False)])
def test_it_is_the_convolution_with_a_kernel_per_example(size, up, demodulate):
    layer: Any = Modulated(5, size, up=up, demodulate=demodulate)
    y, variables = jax.jit(layer.init_with_output)(KEY, X, STYLE)
    kernel = variables["params"]["kernel"] / (size * size * 3) ** 0.5
    assert jax.tree.map(jnp.shape, variables) == {"params": {"kernel": (size, size, 3, 5)}}
    np.testing.assert_allclose(y, with_its_own_kernel(X, STYLE, kernel, up, demodulate), rtol=1e-4, atol=1e-5)


def test_demodulated_outputs_of_unit_inputs_have_unit_variance():
    y, _ = Modulated(64).init_with_output(KEY, array(3, 4, 12, 12, 32), 5 * array(4, 4, 32))
    np.testing.assert_allclose(np.std(y[:, 1:-1, 1:-1]), 1, rtol=0.05)


def test_modulated_keeps_bfloat16():
    layer: Any = Modulated(5, up=True)
    high, variables = layer.init_with_output(KEY, X, STYLE)
    low = layer.apply(variables, jnp.asarray(X, jnp.bfloat16), jnp.asarray(STYLE, jnp.bfloat16))
    assert low.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.float32(low), high, rtol=0.05, atol=0.05)


def test_modulated_gradients_to_second_order():
    layer: Any = Modulated(2, up=True)
    x, style = X[:1, :, :4, :2], STYLE[:1, :2]
    variables = layer.init(KEY, x, style)
    check_grads(
        jax.jit(lambda *given: jnp.sin(layer.apply(*given))), (variables, x, style), 2, ["rev"], rtol=0.03
    )


def test_a_sharded_batch_changes_nothing():
    layer: Any = Modulated(5, up=True)
    variables = layer.init(KEY, X, STYLE)
    run = jax.jit(jax.grad(lambda x, style: jnp.sum(jnp.sin(layer.apply(variables, x, style))), (0, 1)))
    split = parallel.place((X, STYLE), parallel.split_on(parallel.make_mesh(), 0))
    for a, b in zip(run(*split), run(X, STYLE), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_styles_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"need styles of shape \(8, 3\), not \(8, 4\)"):
        Modulated(5).init(KEY, X, array(1, 8, 4))
    with pytest.raises(ValueError, match=r"need styles of shape \(8, 6\), not \(8, 3\)"):
        adain(X, STYLE)


# AdaIN


def test_adain_is_the_formula():
    style = array(2, 8, 6)
    wide = np.float64(X)
    wide = (wide - wide.mean((1, 2), keepdims=True)) / np.sqrt(wide.var((1, 2), keepdims=True) + 1e-8)
    expected = wide * (style[:, None, None, :3] + 1) + style[:, None, None, 3:]
    np.testing.assert_allclose(adain(X, style), expected, rtol=1e-4, atol=1e-5)
    low = adain(jnp.asarray(X, jnp.bfloat16), jnp.asarray(style))
    assert low.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.float32(low), expected, rtol=0.05, atol=0.05)
    check_grads(jax.jit(adain), (X[:1, :3, :3], style[:1]), 2, ["rev"], rtol=0.05, atol=0.05)


# Noise


def noisy(layer, x, weight, key=None):
    rngs = None if key is None else {"noise": key}
    return layer.apply({"params": {"weight": weight}}, x, rngs=rngs)


class TwoNoises(nn.Module):
    @nn.compact
    def __call__(self, x):
        return Noise(name="first")(x), Noise(name="other")(x)


@pytest.mark.parametrize("per_channel", [False, True])
def test_noise_is_one_map_for_all_channels_times_the_weight(per_channel):
    layer: Any = Noise(per_channel)
    zeros = np.zeros((8, 32, 32, 3), np.float32)
    y, variables = layer.init_with_output(KEY, zeros)
    weight = np.array([1, 2, -3], np.float32) if per_channel else np.float32(2)
    assert variables["params"]["weight"].shape == np.shape(weight)
    np.testing.assert_array_equal(y, 0)  # the weight is 0 at the start
    for key in (None, KEY):
        made = noisy(layer, zeros, weight, key) / weight
        np.testing.assert_allclose(made, np.broadcast_to(made[..., :1], made.shape), rtol=1e-5)
        assert abs(np.mean(made)) < 0.1
        np.testing.assert_allclose(np.std(made), 1, rtol=0.1)
        assert len({one.tobytes() for one in np.asarray(made)}) == (1 if key is None else 8)


def test_noise_without_a_stream_is_fixed_and_of_the_layers_own():
    weights = {"params": {name: {"weight": np.float32(1)} for name in ("first", "other")}}
    first, other = TwoNoises().apply(weights, X)
    np.testing.assert_array_equal(first, TwoNoises().apply(weights, X)[0])
    assert np.abs(first - other).max() > 0.5


def test_noise_does_not_depend_on_the_split_of_the_batch():
    weight = np.float32(0.5)
    whole = noisy(Noise(), X, weight, KEY)
    mapped = jax.pmap(lambda x: noisy(Noise(axis_name=AXIS), x, weight, KEY), axis_name=AXIS)
    np.testing.assert_array_equal(np.asarray(mapped(X[:, None])).reshape(X.shape), whole)
    assert noisy(Noise(), jnp.asarray(X, jnp.bfloat16), weight, KEY).dtype == jnp.bfloat16
