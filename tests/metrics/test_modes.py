"""Modes and their KL divergence: closed forms."""

import math

import numpy as np
import pytest

from gan_jax.metrics.modes import ModeCoverage, expected_modes, mode_coverage, stacked_labels
from gan_jax.utils.errors import UserError


def test_uniform_labels_have_no_divergence():
    assert mode_coverage(np.arange(1000).repeat(3), 1000) == ModeCoverage(1000, 1000, 0.0, 1.0, 3000)


def test_one_mode():
    assert mode_coverage(np.full(50, 7), 1000).kl == pytest.approx(math.log(1000))
    assert mode_coverage(np.full(50, 7), 1000).modes == 1


def test_half_of_the_modes_cost_a_bit():
    found = mode_coverage(np.arange(500).repeat(2), 1000)
    assert (found.modes, found.kl) == (500, pytest.approx(math.log(2)))


def test_the_direction_is_generated_given_the_reference():
    """Generated 3/4, 1/4; reference 1/4, 3/4 and 9/10, 1/10."""
    labels = np.array([0, 0, 0, 1])
    assert mode_coverage(labels, 2, np.array([1, 3])).kl == pytest.approx(
        0.75 * math.log(3) - 0.25 * math.log(3)
    )
    expected = 0.75 * math.log(0.75 / 0.9) + 0.25 * math.log(0.25 / 0.1)
    assert mode_coverage(labels, 2, np.array([0.9, 0.1])).kl == pytest.approx(expected)


def test_the_reference_may_be_a_histogram():
    generator = np.random.default_rng(0)
    real, fake = generator.integers(0, 8, 500), generator.integers(0, 6, 300)
    counts = np.bincount(real, minlength=8)
    assert mode_coverage(fake, 8, counts).kl == pytest.approx(mode_coverage(fake, 8, counts / 500).kl)
    assert mode_coverage(real, 8, counts).kl == 0


def test_empty_cells():
    assert mode_coverage(np.array([0, 0, 2]), 3, np.array([2, 0, 1])).kl == 0
    assert mode_coverage(np.array([0, 1, 2]), 3, np.array([2, 0, 1])).kl == math.inf


def test_samples_of_no_mode_count_for_the_quality_only():
    found = mode_coverage(np.array([-1, 0, 1, -1]), 2)
    assert (found.modes, found.kl, found.high_quality, found.num_samples) == (2, 0, 0.5, 4)
    nothing = mode_coverage(np.array([-1, -1]), 2)
    assert (nothing.modes, nothing.kl, nothing.high_quality) == (0, math.inf, 0)


@pytest.mark.parametrize("size", [500, 3000, 25_600])
def test_uniform_samples_reach_the_expected_modes(size):
    """Expected modes 1000 (1 - 0.999^n), and an expected KL of (K - 1) / (2 n) where n is large."""
    generator = np.random.default_rng(0)
    found = [mode_coverage(generator.integers(0, 1000, size), 1000) for _ in range(40)]
    assert expected_modes(size, 1000) == pytest.approx(1000 * (1 - 0.999**size))
    # The number of modes varies by less than sqrt(1000 p (1 - p)); five standard errors of 40.
    share = 0.999**size
    error = 5 * math.sqrt(1000 * share * (1 - share) / 40)
    assert np.mean([f.modes for f in found]) == pytest.approx(expected_modes(size, 1000), abs=error + 1e-3)
    if size == 25_600:
        assert np.mean([f.kl for f in found]) == pytest.approx(999 / (2 * size), rel=0.05)


def test_stacked_labels():
    digits = np.array([[0, 0, 0], [9, 9, 9], [1, 2, 3], [3, 2, 1], [-1, 5, 5], [5, 5, -1]], np.int8)
    labels = stacked_labels(digits)
    assert labels.tolist() == [0, 999, 123, 321, -1, -1]
    assert labels.dtype == np.int64
    every = np.stack(np.meshgrid(*[np.arange(10)] * 3), -1).reshape(-1, 3)
    assert sorted(stacked_labels(every)) == list(range(1000))


def test_what_will_not_do():
    with pytest.raises(UserError, match="no samples"):
        mode_coverage(np.zeros(0, int), 10)
    with pytest.raises(ValueError, match="labels from 0 to 10: expected -1 to 9"):
        mode_coverage(np.array([0, 10]), 10)
    with pytest.raises(ValueError, match="integer labels"):
        mode_coverage(np.array([0.0, 1.0]), 10)
    with pytest.raises(ValueError, match=r"shape \(3,\): expected \[2\]"):
        mode_coverage(np.array([0]), 2, np.ones(3))
    for reference in (np.array([1.0, -1.0]), np.array([np.nan, 1.0]), np.zeros(2)):
        with pytest.raises(ValueError, match="the reference must be"):
            mode_coverage(np.array([0]), 2, reference)
    with pytest.raises(ValueError, match=r"expected integer digits \[N, 3\]"):
        stacked_labels(np.zeros((4, 2), int))
    with pytest.raises(ValueError, match="digits from 0 to 10"):
        stacked_labels(np.array([[0, 10, 0]]))
