"""Filtering by SciPy's convolution, noise and cutout by hand."""

import numpy as np
import pytest
from scipy import ndimage

from gan_jax.augment import degrade
from gan_jax.augment.wavelets import band_taps
from tests.augment.cases import SIZES, chosen, pictures


def test_gains_keep_the_expected_power():
    draws = chosen(2, bands_0=np.array([2.0, 0.0]), bands_3=np.array([-1.0, 1.0]))
    power = np.array([10, 1, 1, 1]) / 13
    for i, (lowest, highest) in enumerate([(4.0, 0.5), (1.0, 2.0)]):
        first, second = np.array([lowest, 1, 1, 1]), np.array([1, 1, 1, highest])
        expected = first / np.sqrt(power @ first**2) * second / np.sqrt(power @ second**2)
        np.testing.assert_allclose(degrade.band_gains(draws)[i], expected, rtol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_filtering_is_a_separable_convolution(size):
    x = pictures(3, *size)
    draws = chosen(3, bands_0=np.array([0.5, -1, 2]), bands_1=1.0, bands_2=-0.5, bands_3=np.array([1, 0, -2]))
    taps = np.asarray(degrade.band_gains(draws)) @ band_taps()
    found = np.asarray(degrade.filtered(x, draws))
    for i in range(3):
        once = ndimage.convolve1d(np.float64(x[i]), taps[i], 0, mode="mirror")
        expected = ndimage.convolve1d(once, taps[i], 1, mode="mirror")
        np.testing.assert_allclose(found[i], expected, rtol=1e-4, atol=1e-4)


def test_what_no_band_changes_is_exactly_the_image():
    x = pictures(2, 20, 28, 3)
    np.testing.assert_array_equal(degrade.filtered(x, chosen(2)), x)


def test_noise_has_its_examples_deviation():
    x = pictures(3, 32, 32, 3)
    found = degrade.noisy(x, chosen(3, noise=np.array([1.5, -0.5, 0.0]))) - x
    for i, deviation in enumerate([0.15, 0.05, 0.0]):
        assert abs(np.std(found[i]) - deviation) <= 5 * deviation / np.sqrt(2 * found[i].size)
        assert abs(np.mean(found[i])) <= 5 * deviation / np.sqrt(found[i].size)
    # White: neither neighbours nor channels nor examples share it.
    for a, b in [(found[0, 1:], found[0, :-1]), (found[0, ..., 0], found[0, ..., 1]), (found[0], found[1])]:
        assert abs(np.corrcoef(np.ravel(a), np.ravel(b))[0, 1]) < 5 / np.sqrt(np.size(a))
    np.testing.assert_array_equal(degrade.noisy(x, chosen(3)), x)


def test_cutout_by_hand():
    x = pictures(2, 20, 28, 3) + 2.0
    found = np.asarray(degrade.cut_out(x, chosen(2, cutout=(np.array([0.5, 0.1]), np.array([0.25, 0.95])))))
    expected = x.copy()
    expected[0, 0:10, 7:21] = 0  # rows (0.25 -+ 0.25) 20, columns (0.5 -+ 0.25) 28
    expected[1, 14:20, 0:10] = 0  # rows 14 to 24, columns -4.2 to 9.8
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(degrade.cut_out(x, chosen(2)), x)
