"""Mixtures of Gaussians against scipy's, and against what their samples say."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from gan_jax.densities import DENSITIES, Mixture, gaussian, grid, mixture, ring

UNEVEN = Mixture(((0.0, 1.0), (2.0, -1.0), (-3.0, 0.5)), (0.5, 1.0, 0.1), (1.0, 2.0, 5.0))


def scipy_log_prob(density, x):
    """By the definition, in float64."""
    terms = [
        math.log(weight) + stats.multivariate_normal(mean, std**2).logpdf(x)
        for mean, std, weight in zip(density.means, density.stds, density.weights, strict=True)
    ]
    return np.logaddexp.reduce(terms, axis=0)


def test_log_prob_is_scipys():
    x = np.random.default_rng(0).uniform(-6, 6, (4, 50, 2))
    found = UNEVEN.log_prob(jnp.asarray(x, jnp.float32))
    assert found.shape == (4, 50)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, scipy_log_prob(UNEVEN, x), rtol=2e-5, atol=1e-5)


def test_log_prob_far_from_every_mode_is_finite_and_has_its_gradient():
    """At 100,000 standard deviations the density itself is 0 in any float; d/dx ln p = -x / std^2 far out."""
    far = jnp.array([2000.0, 0.0])
    assert ring().log_prob(far) == pytest.approx(-0.5 * (1998 / 0.02) ** 2, rel=1e-6)
    slope = jax.grad(gaussian(0.0, 0.5).log_prob)(jnp.array([30.0]))
    np.testing.assert_allclose(slope, [-120.0], rtol=1e-6)


def test_the_gradient_is_the_weighted_mean_of_the_modes_pulls():
    x = np.array([0.3, -0.2])
    at = np.array(
        [stats.multivariate_normal(m, s**2).pdf(x) for m, s in zip(UNEVEN.means, UNEVEN.stds, strict=True)]
    )
    shares = at * [1, 2, 5] / (at * [1, 2, 5]).sum()
    pulls = (np.array(UNEVEN.means) - x) / np.array(UNEVEN.stds)[:, None] ** 2
    found = jax.grad(UNEVEN.log_prob)(jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(found, shares @ pulls, rtol=1e-4)


def test_samples_follow_the_distribution_function():
    density = mixture((-2.0, 1.0), (0.5, 1.5), (1.0, 3.0))
    drawn = np.asarray(density.sample(jax.random.key(1), 20_000))
    assert drawn.shape == (20_000, 1)
    assert drawn.dtype == np.float32

    def cdf(x):
        return 0.25 * stats.norm(-2.0, 0.5).cdf(x) + 0.75 * stats.norm(1.0, 1.5).cdf(x)

    assert stats.kstest(drawn[:, 0], cdf).pvalue > 0.01


def test_samples_of_the_plane_have_the_modes_weights_means_and_stds():
    apart = Mixture(((0.0, 1.0), (6.0, -1.0), (-5.0, 0.5)), UNEVEN.stds, UNEVEN.shares)
    drawn = np.asarray(apart.sample(jax.random.key(0), 40_000))
    mode = apart.mode_of(drawn)
    inside = 1 - math.exp(-4.5)  # of a planar Gaussian within three standard deviations
    shrunk = math.sqrt(1 - 4.5 * math.exp(-4.5) / inside)  # the std of what lies there
    np.testing.assert_allclose(np.bincount(mode[mode >= 0]) / 40_000, apart.weights * inside, atol=0.01)
    for k, (mean, std) in enumerate(zip(apart.means, apart.stds, strict=True)):
        np.testing.assert_allclose(drawn[mode == k].mean(axis=0), mean, atol=0.05)
        np.testing.assert_allclose(drawn[mode == k].std(axis=0), std * shrunk, rtol=0.03)


@pytest.mark.parametrize("name", DENSITIES)
def test_a_draw_is_a_function_of_its_number_and_the_key(name):
    density = DENSITIES[name]()
    sample = jax.jit(density.sample, static_argnums=1)
    many, few = sample(jax.random.key(3), 40), sample(jax.random.key(3), 7)
    np.testing.assert_array_equal(many[:7], few)
    assert not np.array_equal(few, sample(jax.random.key(4), 7))
    assert len(np.unique(np.asarray(many), axis=0)) == 40
    assert density.weights.dtype == np.float64
    assert density.weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert many.shape == (40, density.dimension)
    assert DENSITIES[name]() == density
    assert hash(DENSITIES[name]()) == hash(density)


def test_the_mode_is_the_nearest_in_its_own_units():
    """At (1, 0): 2 stds from a mode of std 0.5 at 0, 1 std from one of std 2 at 3."""
    density = Mixture(((0.0,), (3.0,)), (0.5, 2.0))
    points = np.array([[1.0], [0.4], [-2.9], [-3.1], [8.9], [9.1], [math.nan]])
    assert density.mode_of(points).tolist() == [1, 0, 1, -1, 1, -1, -1]


def test_three_standard_deviations_are_near():
    assert ring().mode_of(np.array([[2.0599, 0.0], [2.0601, 0.0]])).tolist() == [0, -1]


def test_more_points_than_are_held_at_once():
    points = np.tile(np.array(grid().means), (400, 1))
    np.testing.assert_array_equal(grid().mode_of(points), np.tile(np.arange(25), 400))


def test_the_ring_and_the_grid_are_those_of_the_papers():
    means = np.array(ring().means)
    assert means.shape == (8, 2)
    assert ring().stds == (0.02,) * 8
    np.testing.assert_allclose(np.hypot(*means.T), 2.0)
    neighbours = np.linalg.norm(means - np.roll(means, 1, axis=0), axis=1)
    np.testing.assert_allclose(neighbours, 4 * math.sin(math.pi / 8))
    assert set(grid().means) == {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}
    assert grid().stds == (0.05,) * 25
    assert len(grid(side=4, spacing=1.0).means) == 16
    assert max(grid(side=4, spacing=1.0).means) == (1.5, 1.5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mixture((), ()), "at least one centre"),
        (lambda: Mixture(((0.0,), (0.0, 1.0)), (1.0, 1.0)), "all of one dimension"),
        (lambda: Mixture(((math.nan,),), (1.0,)), "finite"),
        (lambda: mixture((0.0, 1.0), (1.0,)), "stds=.*one for each of 2"),
        (lambda: mixture((0.0,), (1.0,), (0.5, 0.5)), "weights=.*one for each of 1"),
        (lambda: mixture((0.0, 1.0), (1.0, 1.0), (0.0, 1.0)), "must be above 0"),
        (lambda: mixture(0.5), "means=0.5"),  # type: ignore[arg-type]
        (lambda: gaussian(std=0.0), "std=0.0"),
        (lambda: ring(modes=0), "modes=0"),
        (lambda: ring(std=-1.0), "std=-1.0"),
        (lambda: ring(radius=math.inf), "radius=inf"),
        (lambda: grid(side=2.5), "side=2.5"),  # type: ignore[arg-type]
        (lambda: ring().log_prob(jnp.zeros((4, 3))), r"points \[..., 2\], got \[4, 3\]"),
        (lambda: ring().mode_of(np.zeros(2)), r"points \[N, 2\], got \[2\]"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
