"""Axes in plain numbers."""

import numpy as np
import pytest

from gan_jax.reports.ticks import tick_label, ticks, value_range


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.25, 0.5, 0.75, 1]), (0, 8000, [0, 2000, 4000, 6000, 8000]), (-3.1, 4.2, [-2, 0, 2, 4])],
)
def test_ticks_are_round(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(20))
def test_ticks_of_any_range_are_few_and_in_it(seed):
    rng = np.random.default_rng(seed)
    low, high = np.sort(rng.normal(size=2) * 10.0 ** rng.integers(-6, 7))
    found = ticks(low, high)
    assert 2 <= len(found) <= 5
    assert all(low - 1e-9 * abs(low) <= tick <= high + 1e-9 * abs(high) for tick in found)
    assert np.ptp(np.diff(found)) < 1e-6 * (high - low)


def test_logarithmic_ticks_are_powers_of_ten():
    assert ticks(0.002, 30, logarithmic=True) == pytest.approx([0.01, 0.1, 1, 10])
    assert len(ticks(1e-12, 1, logarithmic=True)) <= 5


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (20_000, "20,000"), (0.05, "0.05"), (-2.5, "-2.5"), (1e-8, "1e-08")]
)
def test_labels_are_plain(value, text):
    assert tick_label(value) == text


def test_the_range_holds_every_value_and_most_of_the_noise():
    noise = np.zeros(1000)
    noise[3] = 1e6  # one batch
    low, high, logarithmic = value_range([np.array([2.0, 3.0])], [noise])
    assert -0.5 < low < 0
    assert 3 < high < 3.5
    assert not logarithmic


def test_wide_ranges_are_logarithmic_unless_they_must_not_be():
    values = [np.array([0.001, np.nan, 10.0])]
    low, high, logarithmic = value_range(values)
    assert logarithmic
    assert 0 < low < 0.001
    assert high > 10
    assert not value_range(values, linear=True)[2]


@pytest.mark.parametrize("values", [[], [np.array([np.nan])], [np.zeros(3)], [np.full(2, 7.0)]])
def test_a_range_is_never_empty(values):
    low, high, logarithmic = value_range(values)
    assert low < high
    assert ticks(low, high, logarithmic)


def test_only_shares_have_the_axis_of_shares():
    values = [np.array([0.1, 0.5])]
    assert value_range(values, shares=True)[:2] == (-0.02, 1.02)
    assert value_range(values)[1] < 0.6
    assert value_range([np.array([0.1, 5.0])], shares=True)[1] > 5.0
