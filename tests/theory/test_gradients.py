"""The generator's gradient: closed forms with one parameter, and an independent quadrature."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.losses.adversarial import LOSSES
from gan_jax.optim.optimizers import no_average, sgd
from gan_jax.theory.fixed import FixedGenerator
from gan_jax.theory.gradients import follow_gradients, generator_gradients, optimal_slopes, statistics
from gan_jax.theory.grid import box
from gan_jax.theory.playing import begin

SLOPE, THETA = -0.8, 2.0


class Shift(nn.Module):
    """z + theta."""

    axis_name: str | None = None
    conditional = False
    num_classes = None

    @nn.compact
    def __call__(self, latent, label, train):
        return (latent + self.param("theta", lambda key: jnp.float32(THETA)))[:, None, None, :]


class Gradients(nn.Module):
    """w x."""

    axis_name: str | None = None
    conditional = False

    @nn.compact
    def __call__(self, image, label, train):
        return self.param("w", lambda key: jnp.float32(SLOPE)) * image[:, 0, 0, 0]


def game(loss="wasserstein", rate=0.1):
    return FixedGenerator(
        generator=Shift(),
        discriminator=Gradients(),
        generator_tx=sgd(rate),
        discriminator_tx=sgd(rate),
        ema_decay=no_average(),
        latent_size=1,
        loss=LOSSES[loss](),
    )


def zeros(key):
    return {"image": jnp.zeros((1, 512, 1, 1, 1))}


def test_statistics_of_four_gradients():
    rows = np.array([[3.0, 4.0], [-3.0, 4.0], [0.0, 5.0], [0.0, 7.0]])
    found = statistics(jnp.asarray(rows, jnp.float32))
    assert float(found.norm) == pytest.approx((5 + 5 + 5 + 7) / 4)
    assert float(found.mean_norm) == pytest.approx(5.0)
    assert float(found.variance) == pytest.approx(np.trace(np.cov(rows.T)))
    assert float(found.noise_to_signal) == pytest.approx(np.trace(np.cov(rows.T)) / 25)


def test_statistics_of_gradients_whose_squares_are_no_numbers():
    found = statistics(jnp.asarray([[3e-25, 4e-25], [-3e-25, 4e-25]], jnp.float32))
    assert float(found.norm) == pytest.approx(5e-25, rel=1e-5)
    assert float(found.noise_to_signal) == pytest.approx(18 / 16, rel=1e-5)
    nothing = statistics(jnp.zeros((3, 2)))
    assert (float(nothing.norm), float(nothing.variance)) == (0, 0)


def test_the_gradients_of_a_shift():
    """d/dtheta of -f = -w exactly; of ln(1 - D) and -ln D their expected values."""
    algorithm = game()
    losses = {name: LOSSES[name]() for name in ("wasserstein", "minimax", "non_saturating")}
    states = begin(algorithm, [0], zeros)
    state = jax.tree.map(lambda x: x[0], states.replace(step=None)).replace(step=states.step)
    measure = jax.jit(generator_gradients(algorithm, losses, 40))
    found = measure(state, {"image": jnp.zeros((512, 1, 1, 1))}, jax.random.key(1))
    assert float(found["wasserstein"].mean_norm) == pytest.approx(-SLOPE, rel=1e-6)
    assert float(found["wasserstein"].variance) == pytest.approx(0, abs=1e-12)
    z = np.random.default_rng(0).normal(size=1_000_000)
    output = 1 / (1 + np.exp(-SLOPE * (z + THETA)))
    for name, each in (("minimax", -output * SLOPE), ("non_saturating", -(1 - output) * SLOPE)):
        spread = each.var() / 512  # of the mean over a mini-batch
        assert float(found[name].mean_norm) == pytest.approx(abs(each.mean()), abs=5 * (spread / 40) ** 0.5)
        assert float(found[name].variance) == pytest.approx(spread, rel=0.6)


def test_a_variance_needs_two():
    with pytest.raises(ValueError, match="at least 2"):
        generator_gradients(game(), {}, 1)


def test_following_a_critic():
    """The critic climbs by rate * E[0 - G(z)] at each step; what it hands over is |w|."""
    algorithm = game()
    losses = {"wasserstein": LOSSES["wasserstein"]()}
    states = begin(algorithm, [3, 4], zeros)
    found = follow_gradients(algorithm, losses, states, zeros, [0, 1, 5], minibatches=2)["wasserstein"]
    assert found.norm.shape == (3, 2)
    expected = abs(SLOPE - 0.1 * THETA * np.array([0, 1, 5]))
    noise = 5 * 0.1 * math.sqrt(5 / 512)
    assert found.norm == pytest.approx(np.stack([expected, expected], axis=1), abs=noise)
    assert found.norm[2, 0] != found.norm[2, 1]


@pytest.mark.parametrize("distance", [0.3, 1.0, 2.5])
def test_optimal_slopes_by_the_path_through_the_samples(distance):
    """E[-D* l'] and E[-(1 - D*) l'] at x = distance + s z, with the logit l linear for equal widths s."""
    from scipy import integrate, stats

    std = 0.5
    grid = box((-8.0, 10.0, 4001))
    x = grid.points[:, 0]
    log_p, log_q = stats.norm(0, std).logpdf(x), stats.norm(distance, std).logpdf(x)
    found = optimal_slopes(log_p, log_q, (x - distance) / std**2, grid)
    slope = -distance / std**2

    def expected(of):
        def terms(z):
            at = distance + std * z
            logit = (distance**2 - 2 * distance * at) / (2 * std**2)
            return stats.norm.pdf(z) * of(logit)

        return integrate.quad(terms, -10, 10, epsabs=1e-13)[0]

    assert found["minimax"] == pytest.approx(expected(lambda t: -slope / (1 + math.exp(-t))), rel=1e-7)
    assert found["non_saturating"] == pytest.approx(expected(lambda t: -slope / (1 + math.exp(t))), rel=1e-7)


def test_the_minimax_gradient_is_that_of_twice_the_js():
    from gan_jax.theory.divergences import js, kl

    grid = box((-8.0, 10.0, 4001))
    x = grid.points[:, 0]

    def normal(mean):
        return -0.5 * (x - mean) ** 2 - 0.5 * math.log(2 * math.pi)

    found = optimal_slopes(normal(0.0), normal(1.0), x - 1.0, grid)
    ends = [(js(normal(0.0), normal(m), grid), kl(normal(m), normal(0.0), grid)) for m in (0.999, 1.001)]
    twice_js, reverse = 2 * (ends[1][0] - ends[0][0]) / 0.002, (ends[1][1] - ends[0][1]) / 0.002
    assert found["minimax"] == pytest.approx(twice_js, rel=1e-5)
    assert found["non_saturating"] == pytest.approx(reverse - twice_js, rel=1e-5)
