"""Curves with fewer points look like those with all."""

import numpy as np
import pytest

from gan_jax.summaries.smoothing import smoothed, thinned


def test_thinning_keeps_every_peak():
    values = np.random.default_rng(0).normal(size=1_000_000)
    values[123_456] = 50
    values[654_321] = -50
    steps, drawn = thinned(np.arange(1, 1_000_001), values, 2000)
    assert len(steps) == len(drawn) == 2000
    assert abs(steps[drawn == 50] - 123_457) < 1000
    assert abs(steps[drawn == -50] - 654_322) < 1000


@pytest.mark.parametrize("n", [1, 7, 100, 1234, 100_000])
def test_smoothing_a_line_gives_the_line(n):
    """The mean of a window of a straight line is its value at the window's centre."""
    steps = np.arange(1, n + 1)
    centres, means = smoothed(steps, 3.0 * steps, 2000)
    assert len(centres) == len(means) <= 2000
    np.testing.assert_allclose(means, 3 * centres, atol=1.5 + 1e-6)  # half a step for even windows
