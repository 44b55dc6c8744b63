"""Colour transforms: the paper's 4x4 matrices with NumPy and SciPy, and the standard library's colorsys."""

import colorsys

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gan_jax.augment.colour import colour_map, hue_rotation, recoloured
from gan_jax.augment.draws import NAMES, SLOTS, draw
from tests.augment.cases import chosen, keys_of, pictures


def colour_by_the_listing(draws, i):
    """C of the paper's algorithm for RGB, homogeneous 4x4."""
    gates, uniforms, normals = (
        dict(zip(SLOTS, np.asarray(values[i], np.float64), strict=True))
        for values in (draws.gates, draws.uniforms, draws.normals)
    )
    p = float(draws.p)
    colour = np.eye(4)
    v = np.array([1, 1, 1, 0]) / np.sqrt(3)
    if gates["brightness"] < p:
        moved = np.eye(4)
        moved[:3, 3] = 0.2 * normals["brightness"][0]
        colour = moved @ colour
    if gates["contrast"] < p:
        c = np.exp(0.5 * np.log(2) * normals["contrast"][0])
        colour = np.diag([c, c, c, 1]) @ colour
    if gates["luma_flip"] < p and uniforms["luma_flip"][0] >= 0.5:
        colour = (np.eye(4) - 2 * np.outer(v, v)) @ colour
    if gates["hue"] < p:
        turned = np.eye(4)
        angle = np.pi * (2 * uniforms["hue"][0] - 1)
        turned[:3, :3] = Rotation.from_rotvec(angle * v[:3]).as_matrix()
        colour = turned @ colour
    if gates["saturation"] < p:
        s = np.exp(np.log(2) * normals["saturation"][0])
        unit = np.diag([1, 1, 1, 0])
        colour = (np.outer(v, v) + (unit - np.outer(v, v)) * s + np.diag([0, 0, 0, 1])) @ colour
    return colour


@pytest.mark.parametrize("p", [0.4, 1.0])
def test_rgb_by_the_papers_matrices(p):
    count = 24
    x = pictures(count, 9, 7, 3)
    draws = draw(keys_of(count), jnp.float32(p), frozenset(NAMES))
    found = np.asarray(recoloured(x, colour_map(draws, 3)))
    for i in range(count):
        points = np.concatenate([np.float64(x[i]), np.ones((9, 7, 1))], 2)
        np.testing.assert_allclose(
            found[i], (points @ colour_by_the_listing(draws, i).T)[..., :3], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_single_transforms_by_hand(channels):
    x = pictures(1, 9, 7, channels)
    grey = x.mean(3, keepdims=True)

    def found(**slot):
        return np.asarray(recoloured(x, colour_map(chosen(**slot), channels)))

    def assert_close(found, expected):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)

    assert_close(found(brightness=1.5), x + 0.3)
    assert_close(found(contrast=-2.0), x / 2)
    assert_close(found(luma_flip=0.7), x - 2 * grey)
    np.testing.assert_array_equal(found(luma_flip=0.3), x)
    assert_close(found(saturation=1.0), grey + 2 * (x - grey))
    hue = np.roll(x, 1, 3) if channels == 3 else x  # a third of a turn: red becomes green
    assert_close(found(hue=0.5 + 1 / 3), hue)


def test_nothing_drawn_is_exactly_nothing():
    for channels in (1, 3, 4):
        x = pictures(3, 9, 7, channels)
        np.testing.assert_array_equal(recoloured(x, colour_map(chosen(3), channels)), x)


def test_hues_turn_as_colorsys_counts_them():
    """Exact for multiples of 60 degrees about the mean, where the two definitions of hue agree."""
    for sixth in range(6):
        rotation = hue_rotation(jnp.full((1, 1, 1), sixth * np.pi / 3))[0]
        rgb = np.asarray(rotation @ jnp.array([1.0, 0.0, 0.0]))
        hue, _, _ = colorsys.rgb_to_hsv(*(rgb - rgb.min()).tolist())
        assert abs((hue - sixth / 6 + 0.5) % 1 - 0.5) < 1e-5


def test_greys_keep_their_tone_under_hue_and_saturation():
    x = jnp.asarray(np.repeat(pictures(1, 9, 7, 1), 3, 3))
    draws = chosen(hue=0.8, saturation=1.7)
    np.testing.assert_allclose(recoloured(x, colour_map(draws, 3)), x, atol=1e-6)
