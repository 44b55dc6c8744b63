"""Likelihoods of pixels and of any values, and bits per dimension, compared with what is known of them."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.losses.likelihoods import (
    LEVEL,
    DiscretisedLogistic,
    Gaussian,
    bits_per_dim,
    dequantise,
    to_level,
)

LEVELS = np.arange(256) / 127.5 - 1


@pytest.mark.parametrize("log_scale", [-7.0, -5.0, -2.0, 0.0, 2.0])
@pytest.mark.parametrize("mean", [-3.0, -1.0, 0.1234, 0.999, 1.5])
def test_a_discretised_logistic_sums_to_one(mean, log_scale):
    found = DiscretisedLogistic().log_prob(jnp.asarray(LEVELS), jnp.float32(mean), jnp.float32(log_scale))
    assert np.isfinite(found).all()
    assert float(jnp.sum(jnp.exp(found))) == pytest.approx(1, abs=1e-5)


def test_a_discretised_logistic_is_the_difference_of_sigmoids():
    mean, scale = 0.2, 0.05
    sigmoid = lambda x: 1 / (1 + np.exp(-x))
    upper = np.append(sigmoid((LEVELS[:-1] + LEVEL / 2 - mean) / scale), 1)
    lower = np.append(0, upper[:-1])
    found = DiscretisedLogistic().log_prob(
        jnp.asarray(LEVELS), jnp.float32(mean), jnp.float32(math.log(scale))
    )
    likely = upper - lower > 1e-9  # float64's differences have no digits elsewhere
    np.testing.assert_allclose(np.exp(found)[likely], (upper - lower)[likely], rtol=2e-4)


def test_what_a_discretised_logistic_draws_has_its_probabilities():
    mean, log_scale = jnp.full(40_000, 0.9), jnp.float32(-3.0)
    drawn = DiscretisedLogistic().draw(jax.random.key(0), mean, log_scale)
    shares = np.bincount(np.rint((np.asarray(drawn) + 1) * 127.5).astype(int), minlength=256) / len(mean)
    expected = np.exp(DiscretisedLogistic().log_prob(jnp.asarray(LEVELS), jnp.float32(0.9), log_scale))
    assert np.abs(shares - expected).max() < 0.01
    assert expected[-1] > 0.1


def test_gradients_are_finite_however_wrong_the_mean_is():
    def loss(mean, log_scale):
        return jnp.sum(DiscretisedLogistic().log_prob(jnp.asarray([-1.0, 0.0, 1.0]), mean, log_scale))

    for mean in (-100.0, 0.0, 100.0):
        assert all(np.isfinite(jax.grad(loss, (0, 1))(mean, -7.0)))


def test_a_gaussian_is_a_density():
    x = jnp.linspace(-8, 8, 20_001)
    density = jnp.exp(Gaussian().log_prob(x, jnp.float32(0.5), jnp.float32(math.log(0.7))))
    assert np.asarray(density, np.float64).sum() * 16 / 20_000 == pytest.approx(1, abs=1e-4)


def test_a_uniform_coder_takes_8_bits_per_dimension():
    """Of levels, and of dequantised pixels, whose values fill 256 levels."""
    dimensions = 12
    assert bits_per_dim(jnp.full(3, -dimensions * math.log(256)), dimensions, False) == pytest.approx(8)
    density = jnp.full(3, -dimensions * math.log(256 * LEVEL))
    assert bits_per_dim(density, dimensions, True) == pytest.approx(8)


def test_dequantised_pixels_stay_nearest_to_their_level():
    values = jnp.asarray(np.tile(LEVELS, (4, 1)), jnp.float32)
    noisy = dequantise(values, jax.random.split(jax.random.key(0), 4))
    assert float(jnp.abs(noisy - values).max()) <= LEVEL / 2 * 1.001
    assert float(jnp.abs(noisy - values).mean()) == pytest.approx(LEVEL / 4, rel=0.1)
    np.testing.assert_allclose(to_level(noisy), values, atol=LEVEL * 1.01)  # rounding at half a level
    assert np.abs(np.asarray(noisy[0]) - np.asarray(noisy[1])).max() > 0
