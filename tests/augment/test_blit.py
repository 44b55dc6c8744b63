"""Copies of pixels: against NumPy's own flips, turns, padding and slices, to the bit."""

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.augment import blit
from tests.augment.cases import SIZES, pictures


@pytest.mark.parametrize("size", SIZES)
def test_flips(size):
    x = pictures(4, *size)
    found = np.asarray(blit.flipped(x, jnp.array([True, False, True, False])))
    for i in range(4):
        np.testing.assert_array_equal(found[i], np.flip(x[i], 1) if i % 2 == 0 else x[i])


@pytest.mark.parametrize("size", SIZES)
def test_turns(size):
    x = pictures(4, *size)
    turns = np.arange(4) if size[0] == size[1] else np.array([0, 2, 2, 0])
    found = np.asarray(blit.turned(x, jnp.asarray(turns)))
    for i in range(4):
        np.testing.assert_array_equal(found[i], np.rot90(x[i], turns[i]))


@pytest.mark.parametrize("padding", ["reflect", "constant"])
@pytest.mark.parametrize("size", SIZES)
def test_shifts(size, padding):
    x = pictures(5, *size)
    height, width = size[:2]
    down, right = np.array([0, 3, -3, 1, -2]), np.array([0, -2, 4, 4, -4])
    found = np.asarray(blit.shifted(x, jnp.asarray(down), jnp.asarray(right), (3, 4), padding))
    for i in range(5):
        wide = np.pad(x[i], ((9, 9), (9, 9), (0, 0)), padding)
        rolled = np.roll(wide, (down[i], right[i]), (0, 1))
        np.testing.assert_array_equal(found[i], rolled[9 : 9 + height, 9 : 9 + width])


def test_rectangles_may_reach_beyond_the_image_or_be_empty():
    x = pictures(4, 20, 28, 3) + 2.0
    top, bottom = np.array([2, -5, 15, 7]), np.array([6, 3, 40, 7])
    left, right = np.array([0, 20, -3, 2]), np.array([4, 50, 90, 9])
    found = np.asarray(blit.without_rectangle(x, *map(jnp.asarray, (top, bottom, left, right))))
    for i in range(4):
        expected = x[i].copy()
        expected[max(top[i], 0) : bottom[i], max(left[i], 0) : right[i]] = 0
        np.testing.assert_array_equal(found[i], expected)
