"""Moments against numpy's own, against longer floats, in any grouping, and of features far from 0."""

import numpy as np
import pytest

from gan_jax.metrics.features import check_features
from gan_jax.metrics.moments import Moments, moments_of
from gan_jax.utils.errors import UserError


def features(seed, count, size, offset=0.0):
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((count, size)) @ rng.standard_normal((size, size)) / np.sqrt(size)
    return (mixed + offset).astype(np.float32)


def exact(x):
    """Count, mean and covariance with a two-pass sum in x86's 80 bits (or better) of the features."""
    x = x.astype(np.longdouble)
    mean = x.sum(axis=0) / len(x)
    centred = x - mean
    return mean, np.einsum("nd,ne->de", centred, centred) / (len(x) - 1)


def assert_same(found, expected, rtol):
    assert found.count == expected.count
    scale = np.abs(expected.scatter).max()
    np.testing.assert_allclose(found.mean, expected.mean, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(found.scatter, expected.scatter, rtol=0, atol=rtol * scale)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_against_numpy(offset):
    x = features(0, 3000, 12, offset)
    found = moments_of(x, block=700)
    assert found.count == 3000
    assert found.mean.dtype == found.scatter.dtype == np.float64
    np.testing.assert_allclose(found.mean, x.astype(np.float64).mean(axis=0), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(found.covariance, np.cov(x.astype(np.float64), rowvar=False), atol=1e-11)


def test_a_mean_far_from_zero_costs_no_digits_where_float32_keeps_none():
    x = features(1, 50_000, 4, 1e4)
    mean, covariance = exact(x)
    found = moments_of(x)
    np.testing.assert_allclose(found.mean, mean.astype(np.float64), rtol=1e-14)
    np.testing.assert_allclose(found.covariance, covariance.astype(np.float64), atol=1e-12)
    naive = x.T @ x / np.float32(len(x)) - np.outer(x.mean(axis=0), x.mean(axis=0))
    assert np.abs(naive - covariance).max() > 0.5


def test_grouping_and_order_do_not_matter():
    x = features(2, 1000, 7, 100.0)
    whole = moments_of(x)
    for cuts in ([1], [500], [1, 2, 3, 999], range(1, 1000), [0, 0, 300, 300]):
        pieces = np.split(x, list(cuts))
        found = moments_of(pieces[0])
        for piece in pieces[1:]:
            found = found.add(piece)
        assert_same(found, whole, 1e-12)
    shuffled = moments_of(np.random.default_rng(3).permutation(x), block=64)
    assert_same(shuffled, whole, 1e-12)


def test_parts_summed_apart_are_merged():
    x = features(4, 900, 5, -30.0)
    first, second, third = (moments_of(part) for part in np.split(x, [100, 101]))
    assert_same(first.merge(second).merge(third), moments_of(x), 1e-12)
    assert_same(third.merge(second.merge(first)), moments_of(x), 1e-12)
    nothing = moments_of(x[:0])
    assert nothing.count == 0
    assert_same(nothing.merge(first), first, 0.0)
    assert_same(first.merge(nothing), first, 0.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_add_changes_neither(dtype):
    x = features(5, 40, 3, 2.0).astype(dtype)
    given, before = x.copy(), moments_of(x[:20])
    mean, scatter = before.mean.copy(), before.scatter.copy()
    before.add(x[20:])
    np.testing.assert_array_equal(x, given)
    np.testing.assert_array_equal(before.mean, mean)
    np.testing.assert_array_equal(before.scatter, scatter)


def test_the_scatter_is_symmetric_to_the_last_bit():
    scatter = moments_of(features(6, 500, 33, 7.0), block=60).scatter
    np.testing.assert_array_equal(scatter, scatter.T)


def test_a_covariance_needs_two_samples():
    x = features(7, 2, 3)
    with pytest.raises(UserError, match="at least 2 samples, and there are 1"):
        _ = moments_of(x[:1]).covariance
    difference = (x[1] - x[0]).astype(np.float64)
    np.testing.assert_allclose(moments_of(x).covariance, np.outer(difference, difference) / 2, rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_and_found(value):
    x = features(8, 30, 4)
    x[[11, 12], 2] = value
    for call in (moments_of, moments_of(x[:5]).add):
        with pytest.raises(
            UserError, match=r"features: 2 of 30 samples have NaN or infinite.*number 11, from 0"
        ):
            call(x)


def test_opposite_infinities_are_found_and_a_large_sum_is_none():
    x = np.array([[np.inf, -np.inf]])
    with pytest.raises(UserError, match="1 of 1 samples"):
        check_features(x)
    large = np.full((3, 2), 1e308)
    assert check_features(large) is large


@pytest.mark.parametrize(
    "wrong", [np.zeros(3), np.zeros((2, 0)), np.zeros((2, 2, 2)), np.zeros((2, 2), complex)]
)
def test_arrays_that_are_no_features(wrong):
    with pytest.raises(ValueError, match=r"fakes must be real numbers \[N, D\]"):
        check_features(wrong, "fakes")


def test_another_number_of_features_is_refused():
    moments = moments_of(features(9, 10, 3))
    with pytest.raises(ValueError, match=r"\(10, 4\) cannot be added to moments of D=3"):
        moments.add(features(9, 10, 4))
    with pytest.raises(ValueError, match="D=3 and D=1 do not go together"):
        moments.merge(Moments(2, np.zeros(1), np.zeros((1, 1))))
    with pytest.raises(ValueError, match="block=0"):
        moments_of(features(9, 10, 3), block=0)
