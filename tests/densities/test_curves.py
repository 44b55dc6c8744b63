"""Densities around curves against integrals by scipy, and against what their samples say."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

from gan_jax.densities import Curve, spiral, swiss_roll, two_moons
from gan_jax.densities.curves import Arc

WIDE = (swiss_roll(std=0.1), two_moons(std=0.1), spiral(std=0.2))  # wide enough for integrals over the plane


def draw(density, count):
    return np.asarray(jax.jit(lambda key: density.sample(key, count))(jax.random.key(0)))


def swiss_roll_at(u):
    t = 1.5 * math.pi * (1 + 2 * u)
    return t * np.cos(t) / 7.5, t * np.sin(t) / 7.5


def upper_moon_at(u):
    return np.cos(math.pi * u), np.sin(math.pi * u)


def lower_moon_at(u):
    return 1 - np.cos(math.pi * u), 0.5 - np.sin(math.pi * u)


def arm_at(u):
    s = np.sqrt(u)
    return math.pi * s * np.cos(3 * math.pi * s), math.pi * s * np.sin(3 * math.pi * s)


def other_arm_at(u):
    x, y = arm_at(u)
    return -x, -y


FORMULAS = [
    pytest.param(swiss_roll(), (swiss_roll_at,), id="swiss_roll"),
    pytest.param(two_moons(), (upper_moon_at, lower_moon_at), id="two_moons"),
    pytest.param(spiral(), (arm_at, other_arm_at), id="spiral"),
]


@pytest.mark.parametrize(("density", "curves"), FORMULAS)
def test_log_prob_is_the_integral_over_the_curve(density, curves):
    """By the definition, in u, with scipy's adaptive rule split where the integrand is large."""
    rng = np.random.default_rng(0)
    curve = curves[-1]
    u = np.concatenate([[0.0, 1.0], rng.uniform(size=4)])
    points = np.stack(curve(u), axis=-1) + density.std * rng.normal(size=(6, 2)) * [
        [1],
        [1],
        [1],
        [2],
        [3],
        [4],
    ]

    def integral(x, y):
        def integrand(u, curve):
            a, b = curve(u)
            return math.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * density.std**2))

        edges = np.linspace(0, 1, 101)
        total = sum(
            integrate.quad(integrand, low, high, args=(curve,), epsabs=0, epsrel=1e-9)[0]
            for curve in curves
            for low, high in itertools.pairwise(edges)
        )
        return math.log(total / len(curves) / (2 * math.pi * density.std**2))

    found = density.log_prob(jnp.asarray(points, jnp.float32))
    expected = [integral(*point) for point in points.astype(np.float32).astype(float)]
    np.testing.assert_allclose(found, expected, atol=3e-5)


@pytest.mark.parametrize("density", WIDE, ids=["swiss_roll", "two_moons", "spiral"])
def test_the_density_integrates_to_one(density):
    """A sum over a lattice is exact for what is as smooth as this and vanishes at the border."""
    axis = np.arange(-5.0, 5.0, density.std / 1.5)
    x = np.stack(np.meshgrid(axis, axis), axis=-1).astype(np.float32)
    total = np.exp(np.asarray(density.log_prob(jnp.asarray(x)), np.float64)).sum() * (axis[1] - axis[0]) ** 2
    assert total == pytest.approx(1.0, abs=1e-4)


def test_samples_have_the_density_that_is_claimed():
    """The share of draws in each cell of a lattice is the integral over the cell: chi-squared."""
    density, edges, count = two_moons(std=0.2), np.linspace(-2.5, 3.5, 25), 40_000
    drawn = draw(density, count)
    counts = np.histogram2d(drawn[:, 0], drawn[:, 1], (edges, edges))[0]
    fine = (np.arange(24 * 8) + 0.5) * 6 / (24 * 8) - 2.5
    x = np.stack(np.meshgrid(fine, fine, indexing="ij"), axis=-1).astype(np.float32)
    p = np.exp(np.asarray(density.log_prob(jnp.asarray(x)), np.float64)) * (fine[1] - fine[0]) ** 2
    expected = count * p.reshape(24, 8, 24, 8).sum(axis=(1, 3))
    cells = expected > 10
    statistic = ((counts - expected)[cells] ** 2 / expected[cells]).sum()
    assert abs(statistic - cells.sum()) < 4 * math.sqrt(2 * cells.sum())


def test_log_prob_can_be_differentiated_and_batched():
    density = two_moons(std=0.3)
    x = jnp.array([[0.5, 0.9], [1.4, -0.3]])
    log_prob = jax.jit(density.log_prob)
    slopes = jax.jit(jax.vmap(jax.grad(density.log_prob)))(x)
    h = 1e-2
    for axis in range(2):
        shift = h * jnp.eye(2)[axis]
        numeric = (log_prob(x + shift) - log_prob(x - shift)) / (2 * h)
        np.testing.assert_allclose(slopes[:, axis], numeric, rtol=5e-3, atol=5e-3)
    np.testing.assert_allclose(log_prob(x[None]), density.log_prob(x)[None], rtol=1e-5)


@pytest.mark.parametrize(("density", "curves"), FORMULAS)
def test_pieces_are_equally_likely_and_in_order(density, curves):
    """Points of the curve itself, evenly in probability: each piece gets as many."""
    each = density.pieces // len(curves)
    u = (np.arange(each * 50) + 0.5) / (each * 50)
    for number, curve in enumerate(curves):
        if curve in (arm_at, other_arm_at):
            u = u[u > 0.001]  # the arms meet at the origin
        modes = density.mode_of(np.stack(curve(u), axis=-1))
        np.testing.assert_array_equal(modes, number * each + np.floor(u * each).astype(int))


def test_the_nearest_piece_is_that_of_a_search_over_a_fine_curve():
    density = spiral()
    points = np.random.default_rng(0).uniform(-3.5, 3.5, (150, 2))
    u = (np.arange(30_000) + 0.5) / 30_000
    curves = [np.stack(curve(u), axis=-1) for curve in (arm_at, other_arm_at)]
    for point, mode in zip(points, density.mode_of(points), strict=True):
        distances = np.stack([np.linalg.norm(curve - point, axis=1) for curve in curves])
        arm, place = np.unravel_index(distances.argmin(), distances.shape)
        nearest = distances.min()
        if abs(nearest - 0.3) < 1e-4 or abs(np.sort(distances.min(axis=1))[1] - nearest) < 1e-4:
            continue  # at a border
        expected = arm * 10 + int(u[place] * 10) if nearest < 0.3 else -1
        assert mode == expected or abs((u[place] * 10) % 1 - 0.5) > 0.499


def test_near_is_three_standard_deviations_from_the_curve():
    density = two_moons()
    points = np.array([[0.001, 1.2999], [0.001, 1.3001], [0.001, math.nan]])
    assert density.mode_of(points).tolist() == [4, -1, -1]


@pytest.mark.parametrize("density", [swiss_roll(), spiral()], ids=["swiss_roll", "spiral"])
def test_most_draws_are_near_and_pieces_are_even(density):
    modes = density.mode_of(draw(density, 20_000))
    assert (modes < 0).mean() == pytest.approx(0.0027, abs=0.0015)  # 3 std across, and a little at the ends
    np.testing.assert_allclose(
        np.bincount(modes[modes >= 0]) / (modes >= 0).sum(), density.weights, atol=0.008
    )


def test_a_spiral_of_other_numbers():
    density = spiral(turns=1.0, radius=2.0, arms=4, std=0.05, pieces=40)
    ends = [arc.position(np.array(1.0)) for arc in density.arcs]
    np.testing.assert_allclose(ends, [[2, 0], [0, 2], [-2, 0], [0, -2]], atol=1e-12)
    assert len(density.weights) == 40


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: swiss_roll(std=0.0), "std=0.0"),
        (lambda: swiss_roll(std=1e-6), "std=1e-06: it must be a finite number in"),
        (lambda: two_moons(pieces=5), "multiple of 2"),
        (lambda: swiss_roll(pieces=0), "pieces=0"),
        (lambda: spiral(arms=0), "arms=0"),
        (lambda: spiral(radius=0.0), "radius=0.0"),
        (lambda: spiral(turns=math.nan), "turns=nan"),
        (lambda: swiss_roll().log_prob(jnp.zeros(3)), r"points \[..., 2\]"),
        (lambda: swiss_roll().mode_of(np.zeros((3, 1))), r"points \[N, 2\]"),
        (lambda: Curve((), 0.1), "at least one arc"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_arc_of_no_growth_is_a_circle():
    arc = Arc((1.0, 2.0), (3.0, 3.0), (0.0, 2 * math.pi))
    s = np.linspace(0, 1, 9)
    np.testing.assert_allclose(np.hypot(*(arc.position(s) - [1.0, 2.0]).T), 3.0)
    numeric = (arc.position(s + 1e-6) - arc.position(s - 1e-6)) / 2e-6
    np.testing.assert_allclose(arc.velocity(s), numeric, atol=1e-6)
