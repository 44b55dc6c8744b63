"""The best discriminator and the value of the game: closed forms, and the project's own losses."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

from gan_jax.losses import adversarial as losses
from gan_jax.theory.divergences import js
from gan_jax.theory.grid import box, cells
from gan_jax.theory.optimal import (
    optimal_discriminator,
    optimal_hinge,
    optimal_least_squares,
    optimal_value,
    softplus,
    value,
    value_gap,
)

LINE = box((-12.0, 12.0, 1201))
X = LINE.points[:, 0]
P = -0.5 * X**2 - 0.5 * math.log(2 * math.pi)
Q = -0.5 * ((X - 1.0) / 0.7) ** 2 - math.log(0.7 * math.sqrt(2 * math.pi))
# Ratios p : q at which single outputs are searched for the least loss.
RATIOS = np.array([[0.1, 0.9], [0.4, 0.6], [0.75, 0.25], [0.95, 0.05]])


def best_output(loss, p, q):
    """The output, on a fine grid, with the least p loss(real) + q loss(fake), by the project's own loss."""
    outputs = jnp.linspace(-5.0, 5.0, 4001)[:, None]
    zero = jnp.zeros((1,))
    real = jax.vmap(lambda f: loss(f, zero) - loss(zero, zero))(outputs)
    fake = jax.vmap(lambda f: loss(zero, f) - loss(zero, zero))(outputs)
    return float(outputs[int(jnp.argmin(p * real + q * fake)), 0])


@pytest.mark.parametrize(("p", "q"), RATIOS)
def test_the_best_outputs_minimise_the_losses(p, q):
    logs = np.log([p]), np.log([q])
    found = best_output(losses.minimax().discriminator, p, q)
    assert optimal_discriminator(*logs)[0] == pytest.approx(found, abs=3e-3)
    found = best_output(losses.non_saturating(0.9, 0.2).discriminator, p, q)
    assert optimal_discriminator(*logs, 0.9, 0.2)[0] == pytest.approx(found, abs=3e-3)
    found = best_output(losses.least_squares(-1.0, 2.0).discriminator, p, q)
    assert optimal_least_squares(*logs, -1.0, 2.0)[0] == pytest.approx(found, abs=3e-3)
    found = best_output(losses.hinge().discriminator, p, q)
    assert optimal_hinge(*logs)[0] == pytest.approx(found, abs=3e-3)


def test_smoothed_labels_by_the_formula():
    p, q = np.exp(P), np.exp(Q)
    inner = np.abs(X) < 5
    found = expit(optimal_discriminator(P, Q, 0.9, 0.1))
    assert found[inner] == pytest.approx(((0.9 * p + 0.1 * q) / (p + q))[inner])
    one_sided = expit(optimal_discriminator(P, Q, 0.9, 0.0))
    assert one_sided[inner] == pytest.approx((0.9 * p / (p + q))[inner])


def test_the_value_of_a_perfect_generator_is_minus_log_4():
    assert optimal_value(P, P, LINE) == pytest.approx(-math.log(4), abs=1e-14)
    assert value(P, P, np.zeros_like(P), LINE) == pytest.approx(-math.log(4), abs=1e-12)
    assert (optimal_discriminator(P, P) == 0).all()


def test_the_value_of_the_best_discriminator_by_two_routes():
    best = optimal_discriminator(P, Q)
    assert value(P, Q, best, LINE) == pytest.approx(optimal_value(P, Q, LINE), abs=1e-10)
    assert optimal_value(P, Q, LINE) == pytest.approx(2 * js(P, Q, LINE) - math.log(4))
    assert -math.log(4) < optimal_value(P, Q, LINE) < 0


@pytest.mark.parametrize("seed", range(5))
def test_any_other_discriminator_has_a_lower_value(seed):
    best = optimal_discriminator(P, Q)
    random = np.random.default_rng(seed)
    other = best + random.normal(0, 0.3, best.shape)
    lower, most = value(P, Q, other, LINE), optimal_value(P, Q, LINE)
    assert lower < most
    assert value_gap(P, Q, other, LINE) == pytest.approx(most - lower, abs=1e-10)


def test_the_gap_is_a_divergence_of_bernoullis():
    best = optimal_discriminator(P, Q)
    other = 0.5 * best + 0.2
    inner = np.abs(X) < 6
    a, b = expit(best[inner]), expit(other[inner])
    divergence = np.zeros_like(X)
    divergence[inner] = a * np.log(a / b) + (1 - a) * np.log((1 - a) / (1 - b))
    expected = LINE.integral((np.exp(P) + np.exp(Q)) * divergence)
    assert value_gap(P, Q, other, LINE) == pytest.approx(expected, rel=1e-5)
    assert value_gap(P, Q, best, LINE) == 0


def test_supports_that_do_not_meet():
    """The best discriminator is certain, its value 0; one that is certain and wrong has the value -inf."""
    grid = cells(0.0, 3.0, 30)
    x = grid.points[:, 0]
    with np.errstate(divide="ignore"):
        p, q = np.log((x < 1).astype(float)), np.log((x > 2).astype(float))
    best = optimal_discriminator(p, q)
    assert set(best[x < 1]) == {math.inf}
    assert set(best[x > 2]) == {-math.inf}
    assert set(best[(x > 1) & (x < 2)]) == {0.0}
    assert value(p, q, best, grid) == 0
    assert optimal_value(p, q, grid) == pytest.approx(0, abs=1e-12)
    assert value(p, q, -best, grid) == -math.inf
    assert value_gap(p, q, np.zeros(30), grid) == pytest.approx(math.log(4))


def test_no_overflow():
    assert softplus(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, math.log(2), 1e4]
