"""Intervals, quantiles, permutation tests and corrections against scipy, enumeration and simulation."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats

from gan_jax.study.statistics import (
    Interval,
    bootstrap,
    holm,
    paired,
    quantiles,
    sign_flip,
)


def test_five_values_give_the_quantiles_of_all_their_resamples():
    """All 5^5 resamples, equally likely; the interval of 10,000 draws is near theirs."""
    values = np.array([0.3, 1.1, 1.9, 4.2, 7.0])
    means = [np.mean(draw) for draw in itertools.product(values, repeat=5)]
    tail = scipy.stats.norm.cdf(math.sqrt(5 / 4) * scipy.stats.t.ppf(0.025, 4))
    low, high = np.quantile(means, [tail, 1 - tail])
    found = bootstrap(values)
    assert (found.mean, found.n) == (pytest.approx(values.mean()), 5)
    assert found.low == pytest.approx(low, abs=0.1)
    assert found.high == pytest.approx(high, abs=0.1)
    assert found.high - found.mean > 1.05 * (found.mean - found.low)  # it follows the skew


def coverage(draw, mean, n, studies=1000):
    """Shares of the studies whose 95 % interval holds the mean: ours and the plain percentile interval."""
    rng = np.random.default_rng(n)
    plain, ours = 0, 0
    for seed in range(studies):
        values = draw(rng, n)
        found = bootstrap(values, resamples=1_000, seed=seed)
        ours += found.low <= mean <= found.high
        resampled = values[np.random.default_rng(seed).integers(n, size=(1_000, n))].mean(axis=1)
        low, high = np.quantile(resampled, [0.025, 0.975])
        plain += low <= mean <= high
    return ours / studies, plain / studies


@pytest.mark.parametrize(
    ("draw", "mean", "n", "least"),
    [
        (lambda rng, n: rng.normal(size=n), 0.0, 5, 0.88),
        (lambda rng, n: rng.normal(size=n), 0.0, 10, 0.93),
        (lambda rng, n: rng.normal(size=n), 0.0, 20, 0.93),
        (lambda rng, n: rng.exponential(size=n), 1.0, 10, 0.88),
        (lambda rng, n: rng.binomial(8, 0.8, size=n).astype(float), 6.4, 10, 0.93),
    ],
)
def test_a_95_percent_interval_holds_the_mean_in_about_95_percent_of_the_studies(draw, mean, n, least):
    """Standard error of a share: 0.007 to 0.01. The table in the module is of longer simulations."""
    ours, plain = coverage(draw, mean, n)
    assert least <= ours <= 0.985
    assert ours > plain + 0.005


def test_confidence_90_is_90():
    rng = np.random.default_rng(0)
    held = [
        found.low <= 0 <= found.high
        for found in (bootstrap(rng.normal(size=15), 0.9, resamples=1_000, seed=seed) for seed in range(600))
    ]
    assert 0.865 <= np.mean(held) <= 0.935


def test_few_values_have_no_interval_or_their_range():
    none = bootstrap([])
    assert none.n == 0
    assert all(math.isnan(value) for value in (none.mean, none.low, none.high))
    one = bootstrap([3.0])
    assert (one.mean, one.n) == (3.0, 1)
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    for values in ([1.0, 4.0], [1.0, 2.0, 4.0]):
        found = bootstrap(values)
        assert (found.low, found.high) == (1.0, 4.0)


@pytest.mark.parametrize("value", [0.1, 1e9, -7.3])
def test_equal_values_give_an_interval_without_width(value):
    assert bootstrap([value] * 7) == Interval(value, value, value, 7)


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(0).normal(size=300)
    assert bootstrap(values) == bootstrap(values)
    assert bootstrap(values) != bootstrap(values, seed=1)


@pytest.mark.parametrize("values", [[1.0, math.nan], [math.inf], [[1.0, 2.0]]])
def test_only_finite_vectors_have_an_interval(values):
    with pytest.raises(ValueError, match="finite numbers"):
        bootstrap(values)


@pytest.mark.parametrize("wrong", [{"confidence": 1.0}, {"confidence": 0.0}, {"resamples": 0}])
def test_arguments_out_of_range(wrong):
    with pytest.raises(ValueError, match="expected"):
        bootstrap([1.0, 2.0], **wrong)


def test_quantiles_leave_missing_values_out():
    values = np.random.default_rng(0).normal(size=(9, 6))
    values[3:, 1] = np.nan
    values[:, 2] = np.nan
    values[0, 3] = np.nan
    shares = [0.1, 0.25, 0.5, 0.75, 0.9]
    found = quantiles(values, shares)
    for column in (0, 1, 3, 4, 5):
        kept = values[:, column][~np.isnan(values[:, column])]
        np.testing.assert_allclose(found[:, column], np.quantile(kept, shares))
    assert np.isnan(found[:, 2]).all()


def test_infinity_is_a_value_in_quantiles():
    values = np.array([[1.0, 1.0], [2.0, np.inf], [np.inf, np.inf]])
    np.testing.assert_array_equal(
        quantiles(values, [0.0, 0.5, 0.75]), [[1, 1], [2, np.inf], [np.inf, np.inf]]
    )
    assert quantiles(np.empty((0, 3)), [0.5]).shape == (1, 3)


def test_sign_flips_are_those_of_scipys_exact_permutation_test():
    rng = np.random.default_rng(0)
    for n in (2, 5, 9):
        a, b = rng.normal(size=n), rng.normal(0.7, size=n)
        theirs = scipy.stats.permutation_test(
            (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
        )
        assert sign_flip(a - b) == pytest.approx(theirs.pvalue)


def test_sign_flips_of_ranks_are_wilcoxons_exact_test():
    ranks = np.arange(1.0, 13.0) * np.where(np.random.default_rng(1).random(12) < 0.25, -1, 1)
    theirs = scipy.stats.wilcoxon(ranks, method="exact").pvalue
    assert sign_flip(ranks) == pytest.approx(theirs)


def test_equal_signs_give_the_least_p():
    for n in (1, 4, 20):
        assert sign_flip(np.linspace(0.1, 1.0, n)) == pytest.approx(2 / 2**n)


def test_differences_of_nought_change_nothing():
    differences = [0.3, -0.1, 0.4, 0.2]
    assert sign_flip([*differences, 0.0, 0.0]) == sign_flip(differences) == 2 * 2 / 2**4
    assert sign_flip([0.0, 0.0]) == 1.0


def test_sums_that_are_equal_but_for_rounding_count():
    """0.1 + 0.2 is not 0.3 in binary: |+-0.1 +-0.2 -+0.3| are 0.6, 0.4, 0.2 and 0 (each twice)."""
    assert sign_flip([0.1, 0.2, -0.3]) == 1.0
    assert sign_flip([0.1, -0.2, 0.3]) == 6 / 8


def test_many_differences_are_drawn():
    """25 of one size, 18 up: twice the binomial tail, within the error of 100,000 draws."""
    differences = np.array([1.0] * 18 + [-1.0] * 7)
    exact = scipy.stats.binomtest(18, 25).pvalue
    assert sign_flip(differences) == pytest.approx(exact, abs=5 * math.sqrt(exact / 100_000))
    assert sign_flip(np.ones(40)) == pytest.approx(2 / 100_001)  # never 0


def test_p_values_are_uniform_without_a_difference():
    rng = np.random.default_rng(5)
    p = np.array([sign_flip(rng.normal(size=8)) for _ in range(1500)])
    for level in (0.05, 0.25, 0.5):
        assert (p <= level).mean() == pytest.approx(level, abs=4 * math.sqrt(level / 1500))


def test_pairs_are_of_common_seeds():
    a = {0: 3.0, 1: 5.0, 2: 4.0, 7: 100.0}
    b = {2: 4.0, 1: 1.0, 0: 4.0, 9: -100.0}
    found = paired(a, b, "higher")
    assert (found.n, found.wins, found.ties) == (3, 1, 1)
    assert found.difference.mean == pytest.approx((-1 + 4 + 0) / 3)
    assert found.share == pytest.approx(1 / 3)
    assert found.p_value == sign_flip([-1, 4, 0])
    assert paired({0: 1.0, 1: 1.0, 2: 9.0}, {0: 2.0, 1: 2.0, 2: 2.0}, "lower").wins == 2
    assert paired(a, b, "neither").wins == 0


def test_no_common_seed():
    found = paired({0: 1.0}, {1: 1.0}, "higher")
    assert (found.n, found.wins) == (0, 0)
    assert all(math.isnan(value) for value in (found.share, found.p_value, found.difference.mean))


def test_holm_by_hand():
    """0.01 x 4, 0.02 x 3, 0.03 x 2, 0.04 x 1 with the running maximum."""
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_leaves_what_was_not_compared_out():
    found = holm([0.02, math.nan, 0.01])
    assert found[0] == pytest.approx(0.02)
    assert found[2] == pytest.approx(0.02)
    assert math.isnan(found[1])


def test_holm_bounds_the_chance_of_any_false_difference():
    rng = np.random.default_rng(2)
    p = rng.random((4000, 6))
    false = np.mean([min(holm(list(row))) <= 0.05 for row in p])
    assert false == pytest.approx(1 - (1 - 0.05 / 6) ** 6, abs=0.014)
