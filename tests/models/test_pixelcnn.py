"""The gated PixelCNN: what each output sees, and the mixtures that it says."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.losses import mixtures
from gan_jax.models.pixelcnn import PixelCNN

KEY = jax.random.key(0)
SHAPE = (5, 6, 2)


def network(**changes: Any) -> Any:
    return PixelCNN(**{**dict(image_shape=SHAPE, width=4, layers=2, kernel_size=3, components=2), **changes})


@pytest.mark.parametrize("layers", [1, 3])
def test_an_output_sees_all_pixels_before_its_own_and_no_other(layers):
    """Above it and to its left, without a blind spot: with enough layers, all of them."""
    net = network(layers=layers)
    image = jax.random.uniform(KEY, (1, *SHAPE), minval=-1)
    variables = jax.jit(lambda: net.init(KEY, image, None, False))()

    @jax.jit
    def seen(row, column):
        """How much the output there moves with each pixel."""
        total = lambda x: jnp.sum(jnp.abs(net.apply(variables, x, None, False)[0, row, column]))
        return jnp.abs(jax.grad(total)(image)[0]).max(axis=-1)

    height, width = SHAPE[:2]
    for row, column in [(0, 0), (2, 3), (4, 5), (4, 0)]:
        found = np.asarray(seen(row, column)) > 0
        before = np.arange(height * width).reshape(height, width) < row * width + column
        assert not (found & ~before).any(), (row, column)
        rows, columns = np.mgrid[:height, :width]
        near = before & (rows >= row - layers) & (np.abs(columns - column) <= layers)
        assert found[near].all(), (row, column)


def test_what_a_network_says_is_as_long_as_the_mixtures_need():
    for channels, components in itertools.product((1, 2, 3, 4), (1, 5)):
        net = network(image_shape=(3, 3, channels), components=components)
        said = jax.eval_shape(
            lambda net=net: net.init_with_output(KEY, jnp.zeros((1, *net.image_shape)), None, False)
        )[0]
        assert said.shape[-1] == mixtures.outputs(components, channels)
        assert mixtures.mixture(jnp.zeros(said.shape), components, channels).mean.shape[-2:] == (
            components,
            channels,
        )


def test_a_mixture_sums_to_one_over_all_pixels_of_two_channels():
    said = jax.random.normal(KEY, (mixtures.outputs(3, 2),))
    levels = jnp.arange(256) / 127.5 - 1
    pixels = jnp.stack(jnp.meshgrid(levels, levels, indexing="ij"), -1).reshape(-1, 2)
    log_prob = mixtures.log_prob(
        mixtures.mixture(jnp.broadcast_to(said, (len(pixels), len(said))), 3, 2), pixels
    )
    assert float(jnp.sum(jnp.exp(log_prob))) == pytest.approx(1, abs=1e-4)


def test_what_is_drawn_of_a_mixture_has_its_probabilities():
    count, components = 40_000, 3
    said = 0.7 * jax.random.normal(jax.random.key(3), (mixtures.outputs(components, 2),))
    found = mixtures.mixture(jnp.broadcast_to(said, (count, len(said))), components, 2)
    drawn = mixtures.draw(found, *mixtures.noise(KEY, (count,), components, 2))
    assert np.abs(drawn).max() <= 1
    levels = jnp.arange(256) / 127.5 - 1
    pixels = jnp.stack(jnp.meshgrid(levels, levels, indexing="ij"), -1).reshape(-1, 2)
    one = mixtures.mixture(jnp.broadcast_to(said, (len(pixels), len(said))), components, 2)
    exact = np.exp(np.asarray(mixtures.log_prob(one, pixels), np.float64)).reshape(256, 256)
    levels_of = np.rint((np.asarray(drawn) + 1) * 127.5).astype(int)
    eighths = levels_of[:, 0] // 32 * 8 + levels_of[:, 1] // 32
    shares = np.bincount(eighths, minlength=64).reshape(8, 8) / count
    expected = exact.reshape(8, 32, 8, 32).sum((1, 3))
    assert np.abs(shares - expected).max() < 0.01
    assert np.corrcoef(levels_of.T)[0, 1] != pytest.approx(
        0, abs=0.01
    )  # the second channel moves with the first


def test_an_even_kernel_has_no_middle():
    with pytest.raises(ValueError, match="kernel_size=4: it must be odd"):
        network(kernel_size=4).init(KEY, jnp.zeros((1, *SHAPE)), None, False)
