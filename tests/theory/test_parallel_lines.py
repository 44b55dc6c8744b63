"""Parallel lines: closed forms, and what the library's own discriminators make of them."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from gan_jax.algorithms.gan import GAN
from gan_jax.densities.lines import Line
from gan_jax.losses.adversarial import LOSSES
from gan_jax.losses.penalties import WGANGP
from gan_jax.models.mlp import MLPDiscriminator
from gan_jax.optim.optimizers import adam, no_average, sgd
from gan_jax.theory import parallel_lines as lines
from gan_jax.theory import playing
from gan_jax.theory.fixed import FixedGenerator

NOISE = 0.4
THETAS = [-1.3, -0.2, 0.05, 0.7, 2.0]


@pytest.mark.parametrize("theta", [-2.0, 1e-6, 0.5])
def test_without_noise_only_the_earth_mover_sees_the_distance(theta):
    assert lines.earth_mover(theta) == abs(theta)
    assert lines.jensen_shannon(theta) == math.log(2)
    assert lines.kl(theta) == math.inf
    assert lines.total_variation(theta) == 1.0


def test_lines_that_meet_are_the_same():
    for noise in (0.0, NOISE):
        found = [f(0.0, noise) for f in (lines.kl, lines.jensen_shannon, lines.total_variation)]
        np.testing.assert_allclose([*found, lines.earth_mover(0.0)], 0.0, atol=1e-12)


@pytest.mark.parametrize("theta", THETAS)
def test_divergences_with_noise_against_adaptive_quadrature(theta):
    p, q = stats.norm(0.0, NOISE), stats.norm(theta, NOISE)

    def integral(f):
        return integrate.quad(f, -8.0, 8.0, points=[0.0, theta], limit=400, epsabs=1e-11)[0]

    def part(a, b):
        return integral(lambda x: a.pdf(x) * (math.log(2) - np.logaddexp(0.0, b.logpdf(x) - a.logpdf(x))))

    assert lines.jensen_shannon(theta, NOISE) == pytest.approx((part(p, q) + part(q, p)) / 2, abs=1e-9)
    gap = integral(lambda x: abs(p.pdf(x) - q.pdf(x)) / 2)
    assert lines.total_variation(theta, NOISE) == pytest.approx(gap, abs=1e-7)
    divergence = integral(lambda x: q.pdf(x) * (q.logpdf(x) - p.logpdf(x)))
    assert lines.kl(theta, NOISE) == pytest.approx(divergence, abs=1e-8)


@pytest.mark.parametrize("theta", THETAS)
def test_slopes_are_those_of_the_divergences(theta):
    """Goodfellow's theorem 1 and theorem 2.5 of Arjovsky and Bottou 2017, by central differences."""
    step = 1e-4

    def change(f):
        return (f(theta + step) - f(theta - step)) / (2 * step)

    def twice_js(theta):
        return 2 * lines.jensen_shannon(theta, NOISE)

    assert lines.minimax_slope(theta, NOISE) == pytest.approx(change(twice_js), abs=1e-6)
    reverse = change(lambda theta: lines.kl(theta, NOISE) - twice_js(theta))
    assert lines.non_saturating_slope(theta, NOISE) == pytest.approx(reverse, abs=1e-6)


def test_slope_vanishes_far_away_under_minimax_and_grows_under_non_saturating():
    """At 20 standard deviations: nothing, against theta / noise^2."""
    assert abs(lines.minimax_slope(8.0, NOISE)) < 1e-9
    assert lines.non_saturating_slope(8.0, NOISE) == pytest.approx(8.0 / NOISE**2, rel=1e-6)


def test_slopes_need_noise():
    with pytest.raises(ValueError, match="noise"):
        lines.minimax_slope(1.0, 0.0)
    with pytest.raises(ValueError, match="noise="):
        lines.jensen_shannon(1.0, -0.1)


@pytest.mark.parametrize(("theta", "weight"), [(1.0, 1.0), (-0.6, 1.0), (0.2, 10.0)])
def test_the_best_penalised_critic_against_a_search(theta, weight):
    """Over the slopes of straight critics; the best is steeper than 1."""
    slopes = np.linspace(0.0, 3.0, 300_001)
    best = slopes[np.argmax(slopes * abs(theta) - weight * (slopes - 1.0) ** 2)]
    assert lines.penalised_steepness(theta, weight) == pytest.approx(best, abs=1e-5)
    assert lines.penalised_earth_mover(theta, weight) == pytest.approx(best * abs(theta), abs=1e-5)
    assert best > 1.0


def test_descent_by_hand():
    np.testing.assert_allclose(lines.descend(lambda theta: theta, 8.0, 0.5, 3), [8.0, 4.0, 2.0, 1.0])


def test_the_generator_draws_its_line():
    generator = lines.LineGenerator()
    latent = jnp.array([[-1.0], [0.0], [0.5]])
    image = generator.apply({"params": {"theta": jnp.float32(0.3)}}, latent, None, False)
    np.testing.assert_allclose(np.asarray(image)[:, 0, 0], [[0.3, 0.0], [0.3, 0.5], [0.3, 0.75]], atol=1e-7)
    assert generator.init(jax.random.key(0), latent, None, False) == {"params": {"theta": 0.0}}


# The games themselves


def game(kind, loss, penalties=(), noise=0.0):
    """A small discriminator, 20 steps of it to one of the generator."""
    return kind(
        generator=lines.LineGenerator(),
        discriminator=MLPDiscriminator(widths=(16, 16)),
        generator_tx=sgd(0.05),
        discriminator_tx=adam(5e-3, b1=0.5, b2=0.9),
        ema_decay=no_average(),
        latent_size=1,
        latent="uniform",
        loss=LOSSES[loss](),
        penalties=penalties,
        instance_noise=noise,
        discriminator_steps=20,
    )


def last_thetas(warm_up=0, steps=20, **fields):
    """Where the generators are after so many steps from 0.5 and -0.5."""
    algorithm = game(GAN, **fields)
    draw = playing.draw_points(Line(), 64, algorithm.minibatches)
    states = playing.begin(algorithm, [1, 2], draw)
    states = states.replace(generator=states.generator.replace(params={"theta": jnp.array([0.5, -0.5])}))
    if warm_up:  # of the discriminator alone
        states = playing.play(game(FixedGenerator, **fields), draw)(states, warm_up)
        np.testing.assert_array_equal(states.generator.params["theta"], [0.5, -0.5])
    return np.asarray(playing.play(algorithm, draw)(states, steps).generator.params["theta"])


def test_a_minimax_gan_stays_where_it_is():
    np.testing.assert_allclose(last_thetas(25, loss="minimax"), [0.5, -0.5], atol=0.01)


def test_a_wasserstein_gan_arrives():
    """20 steps of 0.05 at slope 1 would be 1.0; then it goes to and fro about 0, the critic always late."""
    fields = dict(loss="wasserstein", penalties=(WGANGP(weight=1.0),))
    path = [last_thetas(steps=steps, **fields) for steps in range(20, 32, 2)]
    np.testing.assert_allclose(np.mean(path, 0), 0.0, atol=0.2)


def test_instance_noise_moves_a_minimax_gan():
    """As gradient descent on 2 JS; the discriminator is not quite the best one."""
    expected = lines.descend(lambda theta: lines.minimax_slope(theta, 0.3), 0.5, 0.05, 20)[-1]
    assert abs(expected) < 0.05
    np.testing.assert_allclose(last_thetas(loss="minimax", noise=0.3), [expected, -expected], atol=0.15)
