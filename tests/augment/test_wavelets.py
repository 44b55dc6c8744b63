"""The filters by their mathematics: Daubechies' factorisation, orthogonality, mirrored signals."""

import itertools
import math

import numpy as np
import pytest

from gan_jax.augment import wavelets

SIDES = [1, 2, 3, 7, 20, 28]


def daubechies_filters(moments):
    """All real orthogonal lowpass filters of 2 `moments` taps with as many vanishing moments.

    Daubechies 1992, "Ten Lectures on Wavelets", section 6.1: the roots of P(y) with
    y = (2 - z - 1/z) / 4 come as z and 1/z; a filter takes one of each, conjugates together.
    """
    polynomial = [math.comb(moments - 1 + k, k) for k in range(moments)]
    choices = []
    for y in np.roots(polynomial[::-1]):
        if y.imag >= -1e-12:
            z = np.roots([1, 4 * y - 2, 1])
            choices.append([[r, r.conj()] if abs(y.imag) > 1e-12 else [r] for r in z])
    for roots in itertools.product(*choices):
        taps = np.real(np.poly([*[-1.0] * moments, *itertools.chain(*roots)]))
        yield taps / taps.sum() * 2**0.5


def asymmetry(taps):
    """How far the phase is from that of any pure delay, weighted by the response."""
    frequency = np.linspace(0, np.pi, 400)
    response = np.exp(-1j * np.outer(frequency, np.arange(len(taps)))) @ taps
    return min(
        np.sum(np.abs(response - np.abs(response) * np.exp(-1j * delay * frequency)) ** 2)
        for delay in np.linspace(0, len(taps) - 1, 1101)
    )


@pytest.mark.parametrize(("taps", "moments"), [(wavelets.SYM6, 6), (wavelets.SYM2, 2)])
def test_the_taps_are_the_least_asymmetric_factor(taps, moments):
    filters = list(daubechies_filters(moments))
    assert len(filters) == {6: 8, 2: 2}[moments]
    least = min(map(asymmetry, filters))
    best = [f for f in filters if asymmetry(f) < least * (1 + 1e-6)]
    assert min(np.abs(f - taps).max() for f in best) < 1e-10


@pytest.mark.parametrize("size", SIDES)
def test_mirroring_is_numpys_reflection(size):
    signal = np.arange(size)
    expected = np.pad(signal, 50, "reflect") if size > 1 else np.zeros(101)
    np.testing.assert_array_equal(signal[wavelets.reflected(np.arange(-50, size + 50), size)], expected)


@pytest.mark.parametrize("size", SIDES)
def test_down_after_up_is_the_identity(size):
    fine = wavelets.upsampling(size)
    window = np.arange(-wavelets.BEFORE, 2 * size - 2 + wavelets.TAPS - wavelets.BEFORE)
    product = np.float64(wavelets.downsampling(size)) @ fine[window % wavelets.period(size)]
    np.testing.assert_allclose(product, np.eye(size), atol=1e-6)


def test_a_ramp_is_upsampled_to_a_ramp_with_the_stated_delay():
    """The filter has six vanishing moments, so it keeps polynomials; away from the mirrors."""
    size = 40
    fine = np.float64(wavelets.upsampling(size)) @ np.arange(size)
    inner = np.arange(20, 60)
    np.testing.assert_allclose(fine[inner], (inner - wavelets.PHASE) / 2, atol=1e-5)


def test_bands_add_up_and_pass_what_they_are_named_after():
    taps = wavelets.band_taps()
    assert taps.shape == (4, 43)
    np.testing.assert_allclose(taps, taps[:, ::-1], atol=1e-15)
    np.testing.assert_allclose(taps.sum(0), np.eye(43)[21], atol=1e-15)
    frequency = np.pi * np.array([0, 3 / 32, 3 / 16, 3 / 8, 3 / 4, 1])
    response = np.real(np.exp(-1j * np.outer(frequency, np.arange(-21, 22))) @ taps.T)
    np.testing.assert_allclose(response[0], [1, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(response[-1], [0, 0, 0, 1], atol=1e-12)
    for band in range(4):
        assert response[1 + band].argmax() == band
        assert response[1 + band, band] > 0.6


@pytest.mark.parametrize("size", SIDES)
def test_band_matrices_filter_a_mirrored_signal(size):
    signal = np.random.default_rng(size).standard_normal(size)
    wide = np.pad(signal, 21, "reflect") if size > 1 else np.repeat(signal, 43)
    for matrix, taps in zip(wavelets.band_matrices(size), wavelets.band_taps(), strict=True):
        np.testing.assert_allclose(matrix @ signal, np.convolve(wide, taps, "valid"), atol=1e-5)
