"""Scores of points against a known density: closed forms, and distances as scipy has them."""

import math

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from gan_jax.densities import Mixture, ring
from gan_jax.metrics.density_scores import density_scores, projected
from gan_jax.metrics.sliced_wasserstein import unit_directions
from gan_jax.utils.errors import UserError

RING = ring(modes=8, radius=2.0, std=0.02)
CENTRES = np.asarray(RING.means, np.float32)


def normal(count, dimension, seed):
    return np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)


def scores(points, density=RING, reals=None):
    return density_scores(
        np.asarray(points, np.float32), density, projected(points if reals is None else reals, directions=5)
    )


@pytest.mark.parametrize(
    ("count", "there"), [(1, 1), (7, 7), (50, 200), (50, 201), (200, 50), (201, 1), (1, 9)]
)
def test_the_distance_on_a_line_is_that_of_scipy(count, there):
    x, y = 1.5 * normal(count, 1, 1) + 0.3, normal(there, 1, 2)
    y[there // 2 :] = y[: there - there // 2]  # with equal values
    found = projected(y, directions=33)
    assert len(found.directions) == 1
    assert found.distance(x) == pytest.approx(wasserstein_distance(x[:, 0], y[:, 0]), rel=1e-12)


def test_the_distance_in_the_plane_is_the_mean_over_angles_of_half_a_turn():
    x, y = normal(31, 2, 1), 3 + 2 * normal(77, 2, 2)
    angles = [0, math.pi / 4, math.pi / 2, 3 * math.pi / 4]
    expected = [
        wasserstein_distance(x @ [math.cos(a), math.sin(a)], y @ [math.cos(a), math.sin(a)]) for a in angles
    ]
    assert projected(y, directions=4).distance(x) == pytest.approx(np.mean(expected), rel=1e-12)


def test_a_shift_costs_its_mean_length_on_the_directions():
    """The mean of |cos| over the circle is 2 / pi."""
    y = normal(40, 2, 1)
    assert projected(y, directions=501).distance(y + np.array([3, 4], np.float32)) == pytest.approx(
        10 / math.pi, rel=1e-4
    )
    assert projected(y, directions=33).distance(y) == pytest.approx(0, abs=1e-12)


def test_the_distance_elsewhere_is_over_random_directions_that_never_change():
    x, y = normal(60, 4, 1), 2 * normal(60, 4, 2)
    found = projected(y, directions=600)
    np.testing.assert_allclose(found.directions, unit_directions(4, 600, np.random.default_rng(0)).T)
    expected = np.mean([wasserstein_distance(x @ u, y @ u) for u in found.directions])
    assert found.distance(x) == pytest.approx(expected, rel=1e-5)


def test_points_on_every_mode_are_without_fault():
    found = scores(np.repeat(CENTRES, 3, axis=0))
    assert (found.modes_reached, found.high_quality) == (8, 1.0)
    assert found.reverse_kl == pytest.approx(0, abs=1e-12)
    assert found.sliced_wasserstein_1 == pytest.approx(0, abs=1e-12)


def test_one_mode_of_eight():
    found = scores(np.repeat(CENTRES[:1], 20, axis=0), reals=CENTRES)
    assert (found.modes_reached, found.high_quality) == (1, 1.0)
    assert found.reverse_kl == pytest.approx(math.log(8))
    assert found.sliced_wasserstein_1 > 1


def test_points_between_the_modes_are_left_out_of_all_but_the_distance():
    """0.059 is within three standard deviations of 0.02, and 0.061 is not."""
    points = np.concatenate(
        [CENTRES[:2] + np.array([0.059, 0], np.float32), CENTRES[:6] + np.array([0, 0.061], np.float32)]
    )
    found = scores(points)
    assert (found.modes_reached, found.high_quality) == (2, 0.25)
    assert found.reverse_kl == pytest.approx(math.log(4))


def test_no_point_of_high_quality_is_the_worst_that_can_be():
    found = scores(np.zeros((9, 2)))
    assert (found.modes_reached, found.high_quality, found.reverse_kl) == (0, 0.0, math.inf)


def test_the_reference_is_the_weights_of_the_modes():
    density = Mixture(means=((0.0,), (10.0,)), stds=(1.0, 1.0), shares=(3.0, 1.0))
    uneven = scores(np.array([[0]] * 3 + [[10]], np.float32), density)
    assert uneven.reverse_kl == pytest.approx(0, abs=1e-12)
    even = scores(np.array([[0], [10]], np.float32), density)
    assert even.reverse_kl == pytest.approx(0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25))


def test_draws_of_the_density_itself():
    rng = np.random.default_rng(1)
    draw, reals = (
        CENTRES[rng.integers(0, 8, 20_000)] + np.float32(0.02) * normal(20_000, 2, seed) for seed in (1, 2)
    )
    found = scores(draw, reals=reals)
    assert found.modes_reached == 8
    assert found.high_quality == pytest.approx(1 - math.exp(-9 / 2), abs=4e-3)
    assert found.reverse_kl < 8 * 7 / (2 * 20_000)
    assert found.sliced_wasserstein_1 < 0.05


def test_wrong_points():
    reals = projected(CENTRES, directions=3)
    with pytest.raises(UserError, match="no samples"):
        density_scores(np.zeros((0, 2)), RING, reals)
    for points in (np.zeros((4, 3)), np.zeros(4)):
        with pytest.raises(ValueError, match=r"expected points \[N, 2\]"):
            density_scores(points, RING, reals)
    with pytest.raises(ValueError, match=r"expected points \[N, 2\]"):
        reals.distance(np.zeros((0, 2)))
    for given in (np.zeros((0, 2)), np.zeros(4)):
        with pytest.raises(ValueError, match=r"expected points \[M, D\]"):
            projected(given, directions=3)
    with pytest.raises(ValueError, match="directions=0"):
        projected(CENTRES, directions=0)
