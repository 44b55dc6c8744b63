"""What runs come to: which count, how they rank, values over training."""

import math

import numpy as np
import pytest

from gan_jax.study.statistics import bootstrap
from gan_jax.study.summary import direction, in_order, over_training, ranking, summarise
from tests.study.made import result


def test_a_summary_is_of_the_runs_that_finished():
    runs = [
        result("plain", 0, [1.0, 9.0, 4.0], seconds=1.0),
        result("plain", 1, [1.0, 2.0, 6.0], seconds=3.0),
        result("plain", 2, [1.0, 100.0], diverged_at=150, seconds=5.0),
        result("plain", 3, [1.0, math.nan], seconds=7.0),
        result("other", 0, [50.0], seconds=100.0),
    ]
    found = summarise(in_order(runs, ["plain", "other"]), "plain", "modes")
    assert (found.runs, found.diverged, found.not_finite) == (4, (2,), (3,))
    assert found.values == {0: 4.0, 1: 6.0}
    assert found.last == bootstrap([4.0, 6.0])
    assert found.best == pytest.approx((9 + 6) / 2)
    assert found.seconds == pytest.approx(4.0)


@pytest.mark.parametrize(("better", "expected"), [("higher", 2.0), ("lower", 6.0), ("neither", math.nan)])
def test_runs_that_do_not_count_are_worst_in_the_median(better, expected):
    """2, 6, 9 and two lost ones: the median is that of -inf, -inf, 2, 6, 9 or of 2, 6, 9 and inf, inf: 9."""
    expected = 9.0 if better == "lower" else expected
    runs = [result("plain", seed, [value], better) for seed, value in enumerate([2.0, 6.0, 9.0])]
    runs += [result("plain", seed, [1.0], better, diverged_at=0) for seed in (3, 4)]
    median = summarise(runs, "plain", "modes").median
    assert median == expected or (math.isnan(median) and math.isnan(expected))
    runs += [result("plain", seed, [1.0], better, diverged_at=0) for seed in (5, 6)]
    assert not math.isfinite(summarise(runs, "plain", "modes").median)


@pytest.mark.parametrize(
    ("better", "expected"),
    [("higher", "cabde"), ("lower", "abcde"), ("neither", "abcde"), ("detail", "abcde")],
)
def test_ranking(better, expected):
    """Equal means stand as the study names them; variants without a value last."""
    runs = [result(name, 0, [value], better) for name, value in (("c", 3.0), ("a", 1.0), ("b", 1.0))]
    runs.append(result("d", 0, [9.0], better, diverged_at=0))
    found = ranking(in_order(runs, list("abcde")), list("abcde"), "modes")
    assert "".join(summary.variant for summary in found) == expected
    assert [summary.runs for summary in found if summary.variant in "de"] == [1, 0]


def test_order_and_what_does_not_belong():
    runs = [result("b", 1, [1.0]), result("a", 2, [1.0]), result("b", 0, [1.0])]
    ordered = in_order(runs, ["b", "a"])
    assert [(run.variant, run.seed) for run in ordered] == [("b", 0), ("b", 1), ("a", 2)]
    with pytest.raises(ValueError, match="a result of 'b'; the study has a"):
        in_order(runs, ["a"])
    with pytest.raises(ValueError, match="two results of 'b' with seed 0"):
        in_order([*runs, result("b", 0, [2.0])], ["b", "a"])
    with pytest.raises(ValueError, match="the runs of 'b' were trained by different configs"):
        in_order([*runs, result("b", 5, [2.0], digest="new")], ["b", "a"])


def test_results_must_agree_on_what_is_better():
    assert direction([], "modes") == "neither"
    with pytest.raises(ValueError, match="disagree on which values of 'modes' are better: higher, lower"):
        direction([result("a", 0, [1.0]), result("a", 1, [1.0], "lower")], "modes")


def test_values_over_training_end_where_a_run_diverged():
    runs = [
        result("a", 0, [1.0, 2.0, 3.0]),
        result("a", 1, [4.0, 5.0, 6.0], diverged_at=100),
        result("a", 2, [7.0]),
        result("b", 0, [0.0] * 9),
    ]
    steps, values = over_training(runs, "a", "modes")
    np.testing.assert_array_equal(steps, [0, 100, 200])
    nan = math.nan
    np.testing.assert_array_equal(values, [[1, 2, 3], [4, nan, nan], [7, nan, nan]])
    steps, values = over_training(runs, "a", "fid")
    assert (steps.shape, values.shape) == ((0,), (3, 0))
