"""KID against its formula written as loops, its bias, and against two other programs on the same subsets."""

import itertools
import warnings

import numpy as np
import pytest

from gan_jax.metrics import kernel_distance
from gan_jax.metrics.kernel_distance import kid, polynomial_mmd
from gan_jax.utils.errors import UserError


def features(seed, count, size=16, shift=0.0):
    return (np.random.default_rng(seed).standard_normal((count, size)) + shift).astype(np.float32)


def by_loops(x, y):
    x, y = x.astype(np.float64), y.astype(np.float64)

    def k(a, b):
        return (sum(float(p) * float(q) for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3

    xx = np.mean([k(a, b) for a, b in itertools.permutations(x, 2)])
    yy = np.mean([k(a, b) for a, b in itertools.permutations(y, 2)])
    return xx + yy - 2 * np.mean([k(a, b) for a in x for b in y])


@pytest.mark.parametrize(("count", "other"), [(7, 12), (12, 7), (2, 2)])
@pytest.mark.parametrize("block", [3, 4, 2048])
def test_the_formula_by_hand(monkeypatch, count, other, block):
    """Whatever the blocks: both sides in several, with and without a rest."""
    monkeypatch.setattr(kernel_distance, "_BLOCK", block)
    x, y = features(0, count, 5, 0.3), features(1, other, 5)
    assert polynomial_mmd(x, y) == pytest.approx(by_loops(x, y), rel=1e-11)


def test_two_points_in_closed_form():
    """x = {0, 0}, y = {1, 1} with D = 1: 1 + 8 - 2."""
    assert polynomial_mmd(np.zeros((2, 1)), np.ones((2, 1))) == 7.0


def test_sets_of_one_distribution_are_unbiased_around_zero_where_the_biased_estimate_is_not():
    rng = np.random.default_rng(4)
    unbiased, biased = [], []
    for _ in range(400):
        x, y = rng.standard_normal((2, 25, 8))
        unbiased.append(polynomial_mmd(x, y))
        kernel = (np.concatenate([x, y]) @ np.concatenate([x, y]).T / 8 + 1) ** 3
        biased.append(kernel[:25, :25].mean() + kernel[25:, 25:].mean() - 2 * kernel[:25, 25:].mean())
    for values, is_unbiased in ((unbiased, True), (biased, False)):
        error = np.std(values) / np.sqrt(len(values))
        assert (abs(np.mean(values)) < 3 * error) == is_unbiased, (np.mean(values), error)
    assert min(unbiased) < 0  # not clamped, or the mean would be biased


def test_unequal_sides_are_unbiased_too():
    rng = np.random.default_rng(5)
    values = [polynomial_mmd(rng.standard_normal((10, 4)), rng.standard_normal((40, 4))) for _ in range(400)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))


def test_float32_features_do_not_lose_the_small_difference():
    """The kernel is near 1e6 and the distance a millionth of it: only float64 sees it."""
    x, y = features(6, 300, 32, 10.0), features(7, 300, 32, 10.0005)
    expected = by_loops(x[:60], y[:60])
    assert polynomial_mmd(x[:60], y[:60]) == pytest.approx(expected, abs=1e-6)
    assert kid(x, y, subsets=1, subset_size=300).mean == pytest.approx(
        polynomial_mmd(x.astype(np.float64), y.astype(np.float64)), abs=1e-6
    )


# Subsets


def test_subsets_are_without_replacement_and_from_the_seed():
    real, fake = features(8, 60), features(9, 50, shift=0.2)
    found = kid(real, fake, subsets=20, subset_size=30, seed=3)
    rng = np.random.default_rng(3)
    values = [
        by_loops(real[rng.choice(60, 30, replace=False)], fake[rng.choice(50, 30, replace=False)])
        for _ in range(20)
    ]
    assert found.mean == pytest.approx(np.mean(values), rel=1e-10)
    assert found.std == pytest.approx(np.std(values), rel=1e-9)
    assert kid(real, fake, subsets=20, subset_size=30, seed=3) == found
    assert kid(real, fake, subsets=20, subset_size=30, seed=4) != found


def test_a_subset_as_large_as_the_sets_is_the_sets():
    real, fake = features(10, 40), features(11, 40, shift=0.2)
    found = kid(real, fake, subsets=3, subset_size=40)
    assert found.mean == pytest.approx(polynomial_mmd(real, fake), rel=1e-12)
    assert found.std < 1e-13


# Other programs

REAL, FAKE = features(12, 150), features(13, 120, shift=0.2)


def draw_alike(monkeypatch):
    """Makes numpy's older draws, which the other programs use, those of default_rng(5)."""
    rng = np.random.default_rng(5)
    monkeypatch.setattr(np.random, "RandomState", lambda seed: rng)
    monkeypatch.setattr(np.random, "choice", rng.choice)


def test_torch_fidelity(monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch = pytest.importorskip("torch", reason="torch-fidelity is compared with")
        other = pytest.importorskip("torch_fidelity.metric_kid", reason="torch-fidelity is compared with")
    found = kid(REAL, FAKE, subsets=7, subset_size=100, seed=5)
    draw_alike(monkeypatch)  # only now: default_rng itself looks at RandomState
    expected = other.kid_features_to_metric(
        *(torch.from_numpy(np.float64(x)) for x in (REAL, FAKE)),
        kid_subsets=7,
        kid_subset_size=100,
        kid_kernel="poly",
        kid_kernel_poly_degree=3,
        kid_kernel_poly_gamma=None,
        kid_kernel_poly_coef0=1,
        rng_seed=5,
        verbose=False,
    )
    assert found.mean == pytest.approx(expected[other.KEY_METRIC_KID_MEAN], rel=1e-9)
    assert found.std == pytest.approx(expected[other.KEY_METRIC_KID_STD], rel=1e-9)


def test_clean_fid(monkeypatch):
    """It draws from its second argument first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cleanfid = pytest.importorskip("cleanfid.fid", reason="clean-fid is compared with")
    found = kid(REAL, FAKE, subsets=7, subset_size=100, seed=5)
    draw_alike(monkeypatch)  # only now: default_rng itself looks at RandomState
    expected = cleanfid.kernel_distance(
        np.float64(FAKE), np.float64(REAL), num_subsets=7, max_subset_size=100
    )
    assert found.mean == pytest.approx(expected, rel=1e-9)


# Errors


def test_subsets_larger_than_a_side():
    real, fake = features(16, 40), features(17, 30)
    with pytest.raises(
        UserError, match=r"subsets of 1000 .* 40 real and 30 fake samples: give subset_size=30,"
    ):
        kid(real, fake)
    with pytest.raises(UserError, match=r"40 real and 1 fake samples: give at least 2 samples on each side"):
        kid(real, fake[:1])
    assert kid(real, fake, subsets=2, subset_size=30).std > 0.0


@pytest.mark.parametrize("setting", [{"subset_size": 1}, {"subset_size": 0}, {"subsets": 0}, {"seed": -1}])
def test_settings_of_subsets(setting):
    x = features(18, 10)
    with pytest.raises(ValueError, match=f"{next(iter(setting))}=|non-negative"):
        kid(x, x, **{"subsets": 2, "subset_size": 5} | setting)


def test_features_that_cannot_be_compared():
    x = features(20, 10)
    broken = x.copy()
    broken[3, 0] = np.inf
    for call in (polynomial_mmd, lambda a, b: kid(a, b, subsets=1, subset_size=2)):
        with pytest.raises(ValueError, match="16 and 4 features cannot be compared"):
            call(x, x[:, :4])
        with pytest.raises(UserError, match="1 of 10 samples have NaN or infinite"):
            call(x, broken)
    with pytest.raises(UserError, match="at least 2 samples on each side, and got 1 and 10"):
        polynomial_mmd(x[:1], x)
