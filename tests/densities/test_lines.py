"""The parallel lines: draws, modes, and the density that noise gives them."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from gan_jax.densities import parallel_lines


def test_without_noise_all_draws_lie_on_the_segment():
    drawn = np.asarray(parallel_lines(0.7).sample(jax.random.key(0), 5000))
    np.testing.assert_array_equal(drawn[:, 0], np.float32(0.7))
    assert stats.kstest(drawn[:, 1], "uniform").pvalue > 0.01


def test_without_noise_there_is_no_density():
    with pytest.raises(ValueError, match="measure zero"):
        parallel_lines(0.0).log_prob(jnp.zeros((3, 2)))


def test_without_noise_near_is_a_thousandth():
    points = [[0.0, 0.5], [0.0009, 0.5], [0.0011, 0.5], [0.0, 1.0009], [0.0, -0.0011], [math.nan, 0.5]]
    assert parallel_lines().mode_of(np.array(points)).tolist() == [0, 0, -1, 0, -1, -1]


def test_with_noise_near_is_three_standard_deviations_from_the_segment():
    points = np.array([[1.29, 0.5], [1.31, 0.5], [1.0, 1.29], [1.2, 1.25], [1.0, -0.31]])
    assert parallel_lines(1.0, noise=0.1).mode_of(points).tolist() == [0, -1, 0, -1, -1]


@pytest.mark.parametrize("noise", [0.02, 0.1, 2.0])
def test_the_density_is_the_convolution_of_the_segment_with_the_noise(noise):
    rng = np.random.default_rng(0)
    density = parallel_lines(0.5, noise)
    points = np.stack(
        [0.5 + noise * rng.normal(size=20), rng.uniform(-2 * noise, 1 + 2 * noise, 20)], axis=-1
    )
    points = points.astype(np.float32)

    def expected(x, y):
        along = integrate.quad(lambda t: stats.norm.pdf(y, t, noise), 0, 1, points=[min(max(y, 0), 1)])[0]
        return math.log(stats.norm.pdf(x, 0.5, noise) * along)

    found = density.log_prob(jnp.asarray(points).reshape(4, 5, 2))
    np.testing.assert_allclose(
        found.reshape(-1), [expected(*map(float, p)) for p in points], rtol=1e-4, atol=1e-5
    )


def test_far_from_the_segment_the_density_is_that_of_its_nearest_end():
    """ln Phi(-z) is about -z^2 / 2 - ln(z sqrt(2 pi)), z = 100 here, on either side of the segment."""
    density = parallel_lines(0.0, noise=0.01)
    expected = (
        -0.5 * 100**2 - math.log(100 * math.sqrt(2 * math.pi)) - math.log(0.01 * math.sqrt(2 * math.pi))
    )
    found = density.log_prob(jnp.array([[0.0, -1.0], [0.0, 2.0]]))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    slopes = jax.jit(jax.vmap(jax.grad(density.log_prob)))(jnp.array([[0.0, -1.0], [0.0, 2.0], [0.1, 0.5]]))
    np.testing.assert_allclose(slopes, [[0, 1e4], [0, -1e4], [-1e3, 0]], rtol=1e-3, atol=1e-3)


def test_draws_with_noise_follow_the_density():
    drawn = np.asarray(parallel_lines(0.5, noise=0.3).sample(jax.random.key(0), 20_000))
    assert stats.kstest(drawn[:, 0], stats.norm(0.5, 0.3).cdf).pvalue > 0.01

    def cdf(y):  # the integral of Phi is z Phi(z) + phi(z)
        def integral(z):
            return z * stats.norm.cdf(z) + stats.norm.pdf(z)

        return 0.3 * (integral(y / 0.3) - integral((y - 1) / 0.3))

    assert stats.kstest(drawn[:, 1], cdf).pvalue > 0.01


@pytest.mark.parametrize(
    ("fields", "message"),
    [(dict(offset=math.inf), "offset=inf"), (dict(noise=-0.1), "noise=-0.1"), (dict(noise="a"), "noise='a'")],
)
def test_what_makes_no_sense_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        parallel_lines(**fields)
