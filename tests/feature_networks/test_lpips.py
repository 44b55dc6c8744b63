"""The perceptual distance: a loop in float64, symmetry, what it does not see, and where it refuses."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.feature_networks.lpips import maps_distance, perceptual_distance
from gan_jax.feature_networks.network import FeatureNetwork, Outputs
from gan_jax.utils.errors import UserError


def maps(params, images):
    """Two layers of different sizes: a mix of the channels at every pixel, and of 2x2 pixels with ReLU."""
    b, h, w, c = images.shape
    blocks = (
        images.reshape(b, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(b, h // 2, w // 2, -1)
    )
    return [images @ params["one"], jnp.maximum(blocks @ params["two"], 0.0)]


def array(seed, *shape) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


NETWORK = FeatureNetwork(
    name="test",
    digest="",
    resizer="none",
    image_shape=(6, 8, 3),
    num_features=1,
    num_classes=None,
    params={"one": array(0, 3, 5), "two": array(1, 12, 7)},
    apply=lambda params, images: Outputs(images.mean((1, 2))),
    maps=maps,
)


def images(seed, count=5):
    return np.random.default_rng(seed).uniform(0, 255, (count, 6, 8, 3)).astype(np.float32)


def test_it_is_what_a_loop_over_layers_and_positions_finds():
    a, b = images(0), images(1)
    one, two = (NETWORK.params[name].astype(np.float64) for name in ("one", "two"))
    expected = np.zeros(5)
    for n in range(5):
        layers: tuple[list[float], list[float]] = ([], [])
        for i in range(6):
            for j in range(8):
                x, y = a[n, i, j] @ one, b[n, i, j] @ one
                layers[0].append(np.sum((x / np.linalg.norm(x) - y / np.linalg.norm(y)) ** 2))
        for i in range(0, 6, 2):
            for j in range(0, 8, 2):
                x, y = (np.maximum(s[n, i : i + 2, j : j + 2].reshape(12) @ two, 0) for s in (a, b))
                layers[1].append(np.sum((x / np.linalg.norm(x) - y / np.linalg.norm(y)) ** 2))
        expected[n] = np.mean(layers[0]) + np.mean(layers[1])
    np.testing.assert_allclose(perceptual_distance(NETWORK, a, b), expected, rtol=1e-5)


def test_equal_images_are_at_zero_and_it_is_symmetric():
    a, b = images(0), images(1)
    np.testing.assert_array_equal(perceptual_distance(NETWORK, a, a.copy()), 0.0)
    np.testing.assert_array_equal(perceptual_distance(NETWORK, a, b), perceptual_distance(NETWORK, b, a))
    assert perceptual_distance(NETWORK, a, b).min() > 0


def test_opposite_activations_are_at_4_and_unrelated_ones_at_2():
    along, across = np.zeros((1, 2, 2, 2), np.float32), np.zeros((1, 2, 2, 2), np.float32)
    along[..., 0], across[..., 1] = 3.0, 0.2
    assert float(maps_distance([jnp.asarray(along)], [jnp.asarray(-along)])[0]) == pytest.approx(4.0)
    assert float(maps_distance([jnp.asarray(along)], [jnp.asarray(across)])[0]) == pytest.approx(2.0)
    three = [jnp.asarray(along)] * 3, [jnp.asarray(across)] * 3
    assert float(maps_distance(*three)[0]) == pytest.approx(6.0)


@pytest.mark.parametrize("scale", [1e-3, 10.0, 1e30])
def test_the_size_of_the_activations_does_not_matter(scale):
    a, b = array(0, 3, 2, 2, 4), array(1, 3, 2, 2, 4)
    found = maps_distance([jnp.asarray(a * np.float32(scale))], [jnp.asarray(b)])
    expected = maps_distance([jnp.asarray(a)], [jnp.asarray(b)])
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_positions_without_any_activation_are_alike():
    empty = jnp.zeros((1, 2, 2, 3))
    assert float(maps_distance([empty], [empty])[0]) == 0.0
    assert float(maps_distance([empty], [empty + 1])[0]) == pytest.approx(1.0)
    assert float(maps_distance([empty], [empty + 1e-15])[0]) < 1e-8  # rounding of what would be 0


def test_batches_do_not_show_and_uint8_is_taken(monkeypatch):
    a, b = images(0, 7).astype(np.uint8), images(1, 7).astype(np.uint8)
    whole = perceptual_distance(NETWORK, a, b)
    monkeypatch.setattr("gan_jax.feature_networks.lpips._BATCH", 3)
    np.testing.assert_allclose(perceptual_distance(NETWORK, a, b), whole, rtol=1e-6)
    as_floats = perceptual_distance(NETWORK, a.astype(np.float32), b.astype(np.float32))
    np.testing.assert_allclose(as_floats, whole, rtol=1e-6)
    assert perceptual_distance(NETWORK, a[:0], b[:0]).shape == (0,)


def test_what_cannot_be_compared_is_refused():
    a = images(0)
    with pytest.raises(UserError, match="has no maps"):
        perceptual_distance(dataclasses.replace(NETWORK, maps=None), a, a)
    with pytest.raises(UserError, match="takes images 6 x 8 x 3"):
        perceptual_distance(NETWORK, a[:, :4], a[:, :4])
    broken = a.copy()
    broken[2, 0, 0, 0] = np.nan
    with pytest.raises(UserError, match="1 of 5 perceptual distances"):
        perceptual_distance(NETWORK, a, broken)
    with pytest.raises(ValueError, match="one shape"):
        perceptual_distance(NETWORK, a, a[:3])
    with pytest.raises(ValueError, match="maps of the same shapes"):
        maps_distance([jnp.zeros((1, 2, 2, 3))], [jnp.zeros((1, 2, 2, 4))])
    with pytest.raises(ValueError, match="maps of the same shapes"):
        maps_distance([], [])
