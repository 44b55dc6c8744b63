"""Divergences by quadrature against closed forms."""

import math

import numpy as np
import pytest

from gan_jax.densities import Mixture, gaussian, mixture, parallel_lines
from gan_jax.theory.divergences import js, kl, total_variation, wasserstein_1
from gan_jax.theory.grid import box, cells, log_density, on_axes

LINE = box((-12.0, 12.0, 2401))


def normal(mean, std, grid=LINE):
    """ln of a normal density, in float64."""
    x = (grid.points[:, 0] - mean) / std
    return -0.5 * x**2 - math.log(std * math.sqrt(2 * math.pi))


def phi(x):
    return 0.5 * math.erfc(-x / math.sqrt(2))


def test_integrals_of_known_functions():
    grid = box((0.0, 2.0, 5))
    assert grid.integral(3 * grid.points[:, 0] + 1) == pytest.approx(8)
    plane = box((0.0, 2.0, 5), (-1.0, 3.0, 4))
    assert plane.integral((plane.points[:, 0] + 1) * plane.points[:, 1]) == pytest.approx(4 * 4)
    assert on_axes(plane.points[:, 1], plane).shape == (5, 4)
    assert (on_axes(plane.points[:, 0], plane)[:, 0] == np.linspace(0, 2, 5)).all()
    assert cells(0.0, 1.0, 4).points[:, 0].tolist() == [0.125, 0.375, 0.625, 0.875]


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (1.5, 1.0), (-0.5, 0.6), (2.0, 1.4)])
def test_kl_of_gaussians(mean, std):
    p, q = normal(mean, std), normal(0.0, 1.0)
    assert kl(p, q, LINE) == pytest.approx(-math.log(std) + (std**2 + mean**2 - 1) / 2, abs=1e-10)
    reverse = math.log(std) + (1 + mean**2) / (2 * std**2) - 0.5
    assert kl(q, p, LINE) == pytest.approx(reverse, abs=1e-8)


def test_kl_in_the_plane_through_a_density():
    """Two isotropic Gaussians: ln(s2 / s1)^2 + (s1 / s2)^2 - 1 + |m|^2 / (2 s2^2)."""
    grid = box((-7.0, 7.0, 141), (-7.0, 7.0, 151))
    p = log_density(Mixture(((0.6, -0.8),), (0.7,)), grid)
    q = log_density(Mixture(((0.0, 0.0),), (1.1,)), grid)
    expected = 2 * math.log(1.1 / 0.7) + (0.7 / 1.1) ** 2 - 1 + 1 / (2 * 1.1**2)
    assert kl(p, q, grid) == pytest.approx(expected, abs=1e-5)


def test_js_is_symmetric_and_between_0_and_ln_2():
    shifts = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
    found = [js(normal(-s / 2, 1.0), normal(s / 2, 1.0), LINE) for s in shifts]
    assert found == sorted(found)
    assert found[0] == pytest.approx(0.0, abs=1e-15)
    assert found[-1] < math.log(2)
    p, q = normal(0.3, 0.5), normal(-1.0, 1.2)
    assert js(p, q, LINE) == pytest.approx(js(q, p, LINE), abs=1e-14)
    assert js(p, q, LINE) == pytest.approx(_js_by_scipy(), abs=1e-9)


def _js_by_scipy():
    from scipy import integrate, stats

    p, q = stats.norm(0.3, 0.5), stats.norm(-1.0, 1.2)

    def terms(x):
        m = (p.pdf(x) + q.pdf(x)) / 2
        return sum(d.pdf(x) * (d.logpdf(x) - math.log(m)) for d in (p, q)) / 2

    return integrate.quad(terms, -9, 7, epsabs=1e-12, limit=200)[0]


def test_disjoint_supports():
    """Neighbours or far apart: JS, TV and KL do not tell, W1 does."""
    grid = cells(0.0, 10.0, 100)
    x = grid.points[:, 0]
    with np.errstate(divide="ignore"):
        p = np.log((x < 1.0).astype(float))
        for shift in (1.0, 2.0, 7.0):
            q = np.log(((x > shift) & (x < shift + 1)).astype(float))
            assert js(p, q, grid) == pytest.approx(math.log(2), abs=1e-12)
            assert total_variation(p, q, grid) == pytest.approx(1.0)
            assert kl(p, q, grid) == math.inf
            assert wasserstein_1(p, q, grid) == pytest.approx(shift)


def test_total_variation_of_shifted_gaussians():
    found = total_variation(normal(-0.7, 1.0), normal(0.7, 1.0), LINE)
    assert found == pytest.approx(2 * phi(0.7) - 1, abs=1e-5)


def test_wasserstein_is_the_shift():
    for shift in (0.0, 0.05, 1.0, 3.0):
        assert wasserstein_1(normal(shift, 0.5), normal(0.0, 0.5), LINE) == pytest.approx(shift, abs=1e-9)
    wider = wasserstein_1(normal(0.0, 1.5), normal(0.0, 0.5), LINE)
    assert wider == pytest.approx(math.sqrt(2 / math.pi), abs=1e-4)  # E|x| times the difference of the stds


def test_log_density_refuses_a_grid_that_does_not_hold_it():
    assert LINE.integral(np.exp(log_density(mixture(), LINE))) == pytest.approx(1, abs=1e-6)
    with pytest.raises(ValueError, match=r"integrates to 0\.5"):
        log_density(gaussian(), box((0.0, 9.0, 901)))
    with pytest.raises(ValueError, match="more nodes"):
        log_density(gaussian(0.005, 0.001), LINE)
    with pytest.raises(ValueError, match=r"R\^1 on a grid over R\^2"):
        log_density(gaussian(), box((0.0, 1.0, 3), (0.0, 1.0, 3)))
    with pytest.raises(ValueError, match=r"measure zero|no density"):
        log_density(parallel_lines(0.0), box((-1.0, 1.0, 9), (-1.0, 1.0, 9)))


@pytest.mark.parametrize("sides", [(), ((1.0, 0.0, 5),), ((0.0, 1.0, 1),), ((0.0, 1.0, 2),) * 3])
def test_boxes_that_are_none(sides):
    with pytest.raises(ValueError, match=r"expected|axes"):
        box(*sides)


def test_misuse():
    plane = box((0.0, 1.0, 3), (0.0, 1.0, 3))
    with pytest.raises(ValueError, match="not in 2 dimensions"):
        wasserstein_1(np.zeros(9), np.zeros(9), plane)
    with pytest.raises(ValueError, match="grid of 9 nodes"):
        js(np.zeros(8), np.zeros(8), plane)
    with pytest.raises(ValueError, match="expected lower < upper"):
        cells(1.0, 1.0, 4)
