"""The birthday paradox test: known numbers of prototypes are recovered, and a continuum gives none."""

import math

import numpy as np
import pytest

from gan_jax.metrics import distances
from gan_jax.metrics.duplicates import duplicate_threshold, duplicates, half_batch
from gan_jax.utils.errors import UserError


def prototypes(size, count, seed, dims=16, weights=None, noise=1e-3):
    generator = np.random.default_rng(seed)
    places = generator.standard_normal((count, dims))
    drawn = generator.choice(count, size, p=weights)
    return (places[drawn] + noise * generator.standard_normal((size, dims))).astype(np.float32), drawn


@pytest.mark.parametrize("count", [10, 200, 5000])
def test_uniform_prototypes_are_counted(count):
    """Eight samples of 1000: each estimate has the standard error it says, and so their mean."""
    found = [duplicates(prototypes(1000, count, seed)[0], batch=50, threshold=0.1) for seed in range(8)]
    supports = np.array([f.support for f in found])
    errors = np.array([f.support_error for f in found])
    deviations = (supports - count) / errors
    assert np.abs(deviations).max() < 4
    assert abs(deviations.mean()) < 4 / math.sqrt(8)
    assert 0.3 < np.std(deviations) < 2.2
    assert sum(f.support_at_least <= count for f in found) >= 6
    # For equally likely images the pairs are uncorrelated: the error is n sqrt((n - 1) / pairs).
    binomial = count * math.sqrt((count - 1) / (1000 * 999 / 2))
    assert np.median(errors) == pytest.approx(binomial, rel=0.4 if count > 10 else 1.5)


def test_all_pairs_are_counted_over_tiles(monkeypatch):
    monkeypatch.setattr(distances, "_TILE", 64)
    features, drawn = prototypes(300, 40, seed=1)
    counts = np.bincount(drawn)
    found = duplicates(features, batch=7, threshold=0.1)
    assert found.num_pairs == (counts * (counts - 1) // 2).sum()
    batches = drawn[: 300 // 7 * 7].reshape(-1, 7)
    assert found.num_batches == len(batches) == 42
    assert found.collision_share == np.mean([len(set(batch)) < 7 for batch in batches])
    assert found.support == pytest.approx(300 * 299 / 2 / found.num_pairs)


def test_the_share_of_batches_is_that_of_the_birthday_paradox():
    """23 people: 0.5073."""
    features, _ = prototypes(6000, 365, seed=2, dims=4)
    found = duplicates(features, batch=23, threshold=0.02)
    # 260 batches: standard error 0.031.
    assert found.collision_share == pytest.approx(0.5073, abs=0.12)
    assert found.half_batch in (22, 23, 24)


def test_half_batch():
    assert [half_batch(n) for n in (1, 2, 3, 10, 365)] == [2, 2, 3, 5, 23]
    for support in (1e4, 1e9):
        assert half_batch(support) == pytest.approx(math.sqrt(2 * math.log(2) * support), abs=2)
    with pytest.raises(ValueError, match="finite and at least 1"):
        half_batch(math.inf)


def test_frequent_images_decide_and_the_error_says_so():
    """One image at 1/2, 500 at 1/1000: sum p^2 = 0.2505, support 3.99."""
    weights = np.array([0.5] + [1 / 1000] * 500)
    found = [
        duplicates(prototypes(800, 501, s, weights=weights)[0], batch=2, threshold=0.1) for s in range(30)
    ]
    supports = np.array([f.support for f in found])
    truth = 1 / (weights**2).sum()
    assert supports.mean() == pytest.approx(truth, rel=0.05)
    # Pairs that share a sample are correlated here; without that term the error would be 4 times too small.
    assert np.median([f.support_error for f in found]) == pytest.approx(np.std(supports), rel=0.25)
    assert all(f.support_at_least < f.support for f in found)


def test_a_continuum_has_no_finite_support():
    features = np.random.default_rng(0).standard_normal((1000, 16)).astype(np.float32)
    found = duplicates(features, batch=100, threshold=0.05)
    assert (found.num_pairs, found.collision_share) == (0, 0)
    assert found.support == found.support_error == found.half_batch == math.inf
    # The rule of three: none of n pairs, so a rate below 2.996 / n with 95 % confidence.
    assert found.support_at_least == pytest.approx(1000 * 999 / 2 / -math.log(0.05), rel=0.02)


def test_a_single_image():
    found = duplicates(np.ones((50, 3)), batch=5, threshold=0)
    assert (found.support, found.support_error, found.collision_share, found.half_batch) == (1, 0, 1, 2)
    assert found.support_at_least == 1


def test_at_the_threshold_is_within():
    rows = np.array([[0.0], [3.0], [10.0]])
    assert duplicates(rows, batch=2, threshold=3).num_pairs == 1
    assert duplicates(rows, batch=2, threshold=np.nextafter(3, 0)).num_pairs == 0
    assert duplicates(rows, batch=2, threshold=7).num_pairs == 2


def test_the_threshold_is_the_quantile_it_says():
    generator = np.random.default_rng(0)
    real = generator.standard_normal((1000, 6))
    threshold = duplicate_threshold(real, 0.05)
    every = np.sqrt(np.square(real[:, None] - real[None]).sum(-1)) + np.diag(np.full(1000, np.inf))
    assert np.mean(every.min(axis=1) <= threshold) == pytest.approx(0.05, abs=0.002)
    # So many different images the real set seems to have itself, at most.
    assert duplicates(real, batch=10, threshold=threshold).support <= 999 / 0.049
    assert duplicate_threshold(real, 0.01) < threshold


def test_what_will_not_do():
    rows = np.random.default_rng(0).standard_normal((40, 3))
    with pytest.raises(UserError, match="40 samples are too few; at least 100"):
        duplicate_threshold(rows)
    with pytest.raises(UserError, match="generated features: 40 samples are too few; at least 50"):
        duplicates(rows, batch=50, threshold=1)
    with pytest.raises(UserError, match="NaN"):
        duplicates(np.full((40, 3), np.nan), batch=5, threshold=1)
    with pytest.raises(ValueError, match="batch=1"):
        duplicates(rows, batch=1, threshold=1)
    with pytest.raises(ValueError, match="threshold=nan"):
        duplicates(rows, batch=2, threshold=math.nan)
    with pytest.raises(ValueError, match="quantile=1"):
        duplicate_threshold(rows, 1)
