"""StyleGAN's generator: its size, what it computes, and how it grows."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.models.stylegan import StyleGANGenerator

KEY = jax.random.key(0)
SHAPE = (8, 12, 2)  # levels 4x6, 8x12
SMALL: dict[str, Any] = dict(width_base=16, width_max=6, style_size=5, mapping_layers=2)
LATENT = jax.random.normal(jax.random.key(1), (4, 3))


@pytest.mark.parametrize(
    ("side", "parameters"), [(1024, 26_219_627), (256, 26_086_229), (64, 25_137_935), (32, 22_841_356)]
)
def test_parameters_are_those_of_the_official_network(side, parameters):
    network = StyleGANGenerator((side, side, 3))
    shapes = jax.eval_shape(lambda: network.init(KEY, jnp.zeros((1, 512)), None, train=False))
    assert sum(math.prod(x.shape) for x in jax.tree.leaves(shapes["params"])) == parameters
    mapping = shapes["params"]["mapping_network"]
    assert sum(math.prod(x.shape) for x in jax.tree.leaves(mapping)) == 2_101_248


def generator(resolution=0, **fields):
    return StyleGANGenerator(SHAPE, resolution=resolution, **SMALL, **fields)


@pytest.fixture(scope="module")
def variables():
    """Whose biases and weights of noise are not 0."""
    made = jax.jit(lambda: generator().init(KEY, LATENT, None, train=False))()
    leaves, tree = jax.tree.flatten(made["params"])
    keys = jax.random.split(jax.random.key(3), len(leaves))
    moved = [x + 0.3 * jax.random.normal(key, x.shape) for key, x in zip(keys, leaves, strict=True)]
    return {**made, "params": jax.tree.unflatten(tree, moved)}


def convolved(kernel, x, gain=2**0.5):
    """Zeros around it, stride 1, weights scaled by He's factor."""
    dimensions = ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=dimensions)
    return y * gain / math.prod(kernel.shape[:3]) ** 0.5


def styled(params, x, w, noise):
    """Noise, bias, leaky ReLU, instance norm, style."""
    x = x + noise * params["noise"]["weight"] + params["bias"]
    x = jnp.maximum(x, 0.2 * x)
    x = x - x.mean((1, 2), keepdims=True)
    x = x / jnp.sqrt((x**2).mean((1, 2), keepdims=True) + 1e-8)
    style = w @ params["style"]["kernel"] / w.shape[1] ** 0.5 + params["style"]["bias"]
    scale, shift = style[:, None, None, : x.shape[3]], style[:, None, None, x.shape[3] :]
    return x * (scale + 1) + shift


def blurred(x):
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    rows = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    return (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 16


def test_synthesis_is_the_official_code_restated(variables, monkeypatch):
    """Without noise, whose maps are the layer's own; fade 0.25."""
    monkeypatch.setattr(jax.random, "normal", lambda key, shape: jnp.zeros(shape))
    w = jax.random.uniform(jax.random.key(4), (4, 4, 5), minval=-1.0)
    p = variables["params"]["synthesis_network"]
    x = styled(p["styled_0"], jnp.broadcast_to(p["constant"], (4, 4, 6, 6)), w[:, 0], 0.0)
    x = styled(p["styled_1"], convolved(p["conv_4"]["kernel"], x), w[:, 1], 0.0)
    coarse = convolved(p["to_image_4"]["kernel"], x, 1.0) + p["to_image_4"]["bias"]
    x = blurred(convolved(p["up_8"]["kernel"], x.repeat(2, 1).repeat(2, 2)))
    x = styled(p["styled_2"], x, w[:, 2], 0.0)
    x = styled(p["styled_3"], convolved(p["conv_8"]["kernel"], x), w[:, 3], 0.0)
    fine = convolved(p["to_image_8"]["kernel"], x, 1.0) + p["to_image_8"]["bias"]
    expected = 0.75 * coarse.repeat(2, 1).repeat(2, 2) + 0.25 * fine
    told = {"label": None, "fade": jnp.float32(0.25)}
    found = generator().apply(variables, w, told, train=False, method="synthesis")
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_fade_goes_from_the_level_before_to_the_level_itself(variables):
    def made(resolution, fade):
        told = None if fade is None else {"label": None, "fade": jnp.float32(fade)}
        return generator(resolution).apply(variables, LATENT, told, train=False)

    np.testing.assert_array_equal(made(8, 0.0), made(4, None))
    np.testing.assert_array_equal(made(8, 1.0), made(8, None))
    np.testing.assert_array_equal(made(0, None), made(8, None))


def test_styles_are_those_of_the_levels_in_use(variables):
    assert [generator(resolution).style_layers for resolution in (4, 8, 0)] == [2, 4, 4]
    low = generator(4)
    w = low.apply(variables, LATENT, None, train=False, method="mapping")
    assert w.shape == (4, 2, 5)
    image = low.apply(variables, w, None, train=False, method="synthesis")
    np.testing.assert_array_equal(image, low.apply(variables, LATENT, None, train=False))
    with pytest.raises(ValueError, match=r"images of 8x12 are made of styles \[B, 4, D\], not \(4, 2, 5\)"):
        generator().apply(variables, w, None, train=False, method="synthesis")


def test_impossible_resolutions_are_refused():
    with pytest.raises(ValueError, match="resolution=6: images of 8x12 have the levels"):
        generator(6)
