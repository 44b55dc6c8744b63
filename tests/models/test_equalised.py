"""Levels, the equalised learning rate and the pixel norm, against NumPy."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from gan_jax.models.layers.equalised import Equalised
from gan_jax.models.layers.layers import Conv, Dense
from gan_jax.models.layers.levels import level_sizes
from gan_jax.models.layers.norms import PixelNorm

KEY = jax.random.key(0)


def array(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


# Levels


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((28, 28), [(7, 7), (14, 14), (28, 28)]),
        ((72, 72), [(9, 9), (18, 18), (36, 36), (72, 72)]),
        ((14, 28), [(7, 14), (14, 28)]),
        ((4, 64), [(4, 64)]),
        ((30, 40), [(15, 20), (30, 40)]),
        ((7, 5), [(7, 5)]),
        ((1024, 1024), [(2**n, 2**n) for n in range(2, 11)]),
    ],
    ids=str,
)
def test_levels_halve_evenly_and_stay_at_4_pixels(size, expected):
    assert level_sizes(size) == expected


def test_images_too_small_for_levels_are_refused():
    with pytest.raises(ValueError, match="images of 3x28 pixels: this network needs at least 4"):
        level_sizes((3, 28))


# The equalised learning rate


LAYERS: dict[str, Any] = {
    "dense": lambda **more: Dense(5, **more),
    "conv": lambda **more: Conv(5, 3, **more),
    "halve": lambda **more: Conv(5, 3, halve=True, **more),
    "double": lambda **more: Conv(5, 3, double=(8, 12), **more),
}


def input_of(kind):
    return array(1, 3, 6) if kind == "dense" else array(1, 3, 4, 6, 6)


@pytest.mark.parametrize("kind", LAYERS)
def test_an_equalised_layer_is_the_plain_one_with_scaled_parameters(kind):
    x, gain, rate = input_of(kind), 1.5, 0.01
    layer = LAYERS[kind](equalised=Equalised(gain, rate))
    params = layer.init(KEY, x)["params"]
    params["bias"] = array(2, 5)
    fan_in = 6 if kind == "dense" else 54
    scaled = {"kernel": params["kernel"] * gain * rate / fan_in**0.5, "bias": params["bias"] * rate}
    plain = LAYERS[kind]().apply({"params": scaled}, x)
    np.testing.assert_allclose(layer.apply({"params": params}, x), plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("rate", "gain"), [(1.0, 2**0.5), (0.01, 1.0)])
def test_weights_start_normal_and_outputs_have_the_gains_variance(rate, gain):
    x = array(0, 2000, 150)
    layer = Dense(100, equalised=Equalised(gain, rate))
    y, variables = layer.init_with_output(KEY, x)
    kernel = variables["params"]["kernel"]
    np.testing.assert_allclose(np.std(kernel), 1 / rate, rtol=0.02)
    np.testing.assert_allclose(np.std(y), gain, rtol=0.02)
    np.testing.assert_array_equal(variables["params"]["bias"], 0)


def test_a_dense_layers_bias_may_start_elsewhere():
    layer = Dense(5, equalised=Equalised(1.0), bias_init=jax.nn.initializers.ones)
    np.testing.assert_array_equal(layer.init_with_output(KEY, np.zeros((2, 3), np.float32))[0], 1)


@pytest.mark.parametrize("kind", LAYERS)
def test_equalised_layers_keep_bfloat16(kind):
    layer, x = LAYERS[kind](equalised=Equalised()), input_of(kind)
    variables = layer.init(KEY, x)
    low = layer.apply(variables, x.astype(jnp.bfloat16))
    assert low.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.float32(low), layer.apply(variables, x), rtol=0.05, atol=0.05)


def test_equalised_gradients_to_second_order():
    layer: Any = Conv(2, 3, equalised=Equalised(1.3, 0.1))
    x = array(1, 1, 4, 4, 2)
    variables = layer.init(KEY, x)
    check_grads(lambda v, x: jnp.sum(jnp.sin(layer.apply(v, x))), (variables, x), 2, ["rev"], rtol=0.02)


@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_a_spectral_norm_beside_it_is_refused(kind):
    with pytest.raises(ValueError, match="undoes the scale"):
        LAYERS[kind](equalised=Equalised(), spectral_norm=True).init(KEY, input_of(kind))


@pytest.mark.parametrize("fields", [dict(gain=0.0), dict(lr_multiplier=-1.0), dict(gain=float("nan"))])
def test_impossible_scales_are_refused(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        Equalised(**fields)


# The pixel norm

PIXEL_NORM: Any = PixelNorm()


@pytest.mark.parametrize("shape", [(3, 7), (2, 3, 4, 5)])
def test_pixel_norm_is_the_formula(shape):
    x = array(0, *shape) * 3
    y = PIXEL_NORM.apply({}, x)
    np.testing.assert_allclose(
        y, x / np.sqrt(np.mean(np.float64(x) ** 2, -1, keepdims=True) + 1e-8), rtol=1e-5
    )
    low = PIXEL_NORM.apply({}, x.astype(jnp.bfloat16))
    assert low.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.float32(low), y, rtol=0.02, atol=0.02)


def test_pixel_norm_of_zeros_and_its_gradients():
    def norm(x):
        return PIXEL_NORM.apply({}, x)

    np.testing.assert_array_equal(norm(np.zeros((2, 3), np.float32)), 0)
    assert np.isfinite(jax.grad(lambda x: jnp.sum(norm(x)))(np.zeros((2, 3), np.float32))).all()
    check_grads(norm, (array(0, 2, 3),), 2, ["rev"], rtol=0.02)
