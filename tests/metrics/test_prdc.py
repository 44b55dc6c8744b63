"""Precision, recall, density and coverage: counted by hand, and by two other implementations."""

import contextlib
import io
import warnings

import numpy as np
import pytest

from gan_jax.metrics import distances
from gan_jax.metrics.prdc import Prdc, prdc, squared_neighbours
from gan_jax.utils.errors import UserError


def column(*values):
    return np.array(values, np.float32)[:, None]


def two_sets(size=300, other=250, dims=12):
    generator = np.random.default_rng(3)
    real = generator.standard_normal((size, dims))
    fake = 0.8 * generator.standard_normal((other, dims)) + 0.4
    return real, fake


def test_counted_by_hand():
    """Radii for k = 1: 1, 1, 1, 1, 1, 2 of the reals, 1, 1, 0.25, 0.25, 9.75 of the fakes.

    Real balls: fake 0.5 lies in those of 0 and 1, and 1.5 in those of 1 and 2; the others in none.
    Fake balls: around 0.5 lie 0 and 1, around 1.5 lie 1 and 2, around 30 nothing (from 20.25 on).
    """
    real, fake = column(0, 1, 2, 10, 11, 13), column(0.5, 1.5, 20, 20.25, 30)
    assert prdc(real, fake, manifold_k=1, density_k=1) == Prdc(2 / 5, 3 / 6, 4 / 5, 3 / 6)


def test_both_k_are_used():
    """Radii of the reals 1, 1, 2, 4 for k = 1, and 3, 2, 3, 6 for 2; of the fakes 6.5, 0.5, 0.5 for 1."""
    real, fake = column(0, 1, 3, 7), column(2.5, 9, 9.5)
    found = prdc(real, fake, manifold_k=1, density_k=2)
    # Precision: 2.5 in the ball of 3; 9 and 9.5 in that of 7. Recall: all reals in the ball of 2.5.
    assert (found.precision, found.recall) == (1.0, 1.0)
    # k = 2: 2.5 lies in the balls of 0, 1, 3, 7; 9 and 9.5 in that of 7: 6 of 2 x 3.
    assert (found.density, found.coverage) == (1.0, 1.0)
    swapped = prdc(real, fake, manifold_k=2, density_k=1)
    # k = 1: 2.5 lies in that of 3 only (7 - 4 = 3); 9 and 9.5 in that of 7: 3 of 3. Coverage: 3 and 7.
    assert (swapped.density, swapped.coverage) == (1.0, 0.5)


def test_clusters_that_are_missed_and_made_up():
    """Four far clusters: reals in a, b, c; fakes in b, c and d."""
    generator = np.random.default_rng(0)
    centres = 100 * np.eye(4, 6)
    a, b, c = (centres[i] + generator.standard_normal((100, 6)) for i in (0, 1, 2))
    d = centres[3] + generator.standard_normal((60, 6))
    found = prdc(np.concatenate([a, b, c]), np.concatenate([b, d]))
    assert found.precision == 100 / 160
    assert found.recall == 100 / 300
    assert found.coverage == 100 / 300
    # The fakes of b are the reals of b. A real's ball holds its copy and those of its 4 nearest others; that
    # of the fifth is on the surface.
    assert found.density == pytest.approx(100 * 5 / (5 * 160))


def test_the_surface_is_inside_for_precision_and_outside_for_density():
    """Real 0, 2 (k = 1: radius 2), and fakes exactly 2 away from 2."""
    real, fake = column(0, 2), column(4, 4.5)
    found = prdc(real, fake, manifold_k=1, density_k=1)
    assert (found.precision, found.density, found.coverage) == (1 / 2, 0, 0)
    # Fake radius 0.5: the real 4 is on the surface of 4.5.
    assert prdc(column(4, 9), column(4.5, 5), manifold_k=1, density_k=1).recall == 1 / 2


def test_a_copy_of_the_real_set_has_one_everywhere():
    real, _ = two_sets()
    assert prdc(real, real) == Prdc(1.0, 1.0, 1.0, 1.0)


def test_a_dropped_mode_costs_recall_and_an_outlier_costs_precision():
    real, fake = two_sets()
    apart = np.concatenate([fake, fake + 1000])
    assert prdc(real, apart).precision == prdc(real, fake).precision / 2
    assert prdc(np.concatenate([real, real + 1000]), fake).recall == prdc(real, fake).recall / 2


@pytest.mark.parametrize("tile", [32, 2048])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_equal_to_the_package_prdc(k, tile, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = pytest.importorskip("prdc", reason="the authors' package prdc is not installed")
    monkeypatch.setattr(distances, "_TILE", tile)
    real, fake = two_sets()
    with contextlib.redirect_stdout(io.StringIO()):
        expected = package.compute_prdc(real, fake, k)
    found = prdc(real, fake, manifold_k=k, density_k=k)
    assert found.precision == pytest.approx(expected["precision"], abs=1e-12)
    assert found.recall == pytest.approx(expected["recall"], abs=1e-12)
    assert found.density == pytest.approx(expected["density"], abs=1e-12)
    assert found.coverage == pytest.approx(expected["coverage"], abs=1e-12)
    assert 0.05 < found.precision < 1
    assert 0.05 < found.recall < 1


@pytest.mark.parametrize("k", [3, 5])
def test_equal_to_torch_fidelity(k):
    """Its convention is ours: the k-th of the others (the (k + 1)-th with the row itself), and <=."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch = pytest.importorskip("torch", reason="torch is not installed")
        reference = pytest.importorskip("torch_fidelity.metric_prc", reason="torch-fidelity is not installed")
        real, fake = two_sets()
        precision, recall = reference.calculate_precision_recall_full(
            torch.from_numpy(fake), torch.from_numpy(real), neighborhood=k
        )
    found = prdc(real, fake, manifold_k=k)
    assert found.precision == pytest.approx(precision, abs=1e-6)
    assert found.recall == pytest.approx(recall, abs=1e-6)


def test_equal_distributions_have_the_expected_coverage_and_density():
    generator = np.random.default_rng(0)
    found = [prdc(*(generator.standard_normal((2, 400, 4)))) for _ in range(10)]
    # For M = N and k = 5: 1 - 1/2^5, nearly; density 1. Bounds of 4 standard errors of ten.
    assert np.mean([f.coverage for f in found]) == pytest.approx(1 - 1 / 32, abs=0.015)
    assert np.mean([f.density for f in found]) == pytest.approx(1, abs=0.06)


def test_too_few_and_bad_features():
    real, fake = two_sets(20, 20)
    with pytest.raises(UserError, match="real features: 5 samples are too few; at least 6"):
        prdc(real[:5], fake)
    with pytest.raises(UserError, match="fake features: 3 samples are too few; at least 4"):
        prdc(real, fake[:3])
    with pytest.raises(UserError, match="fake features: 1 of 20 samples have NaN"):
        prdc(real, np.where(np.arange(20)[:, None] == 4, np.nan, fake))
    with pytest.raises(ValueError, match="one network"):
        prdc(real, fake[:, :3])
    with pytest.raises(ValueError, match="at least 1"):
        prdc(real, fake, density_k=0)


def test_known_neighbours_change_nothing():
    real, fake = (np.random.default_rng(seed).normal(size=(80, 6)).astype(np.float32) for seed in (0, 1))
    assert prdc(real, fake, real_squared=squared_neighbours(real, 5)) == prdc(real, fake)
    assert prdc(real, fake, real_squared=squared_neighbours(real, 9)) == prdc(real, fake)
    with pytest.raises(ValueError, match=r"expected \(80, 5 or more\)"):
        prdc(real, fake, real_squared=squared_neighbours(real, 4))
    with pytest.raises(ValueError, match=r"expected \(80, 5 or more\)"):
        prdc(real, fake, real_squared=squared_neighbours(real[:70], 5))
