"""What noise does to examples, and how a network sees it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.algorithms.processes import DDPM, EDM, spread

BOTH = pytest.mark.parametrize("process", [DDPM(), EDM()], ids=["ddpm", "edm"])


@BOTH
def test_what_a_network_sees_and_should_answer_has_unit_variance(process):
    """At every level, of data of the variance that the process is made for."""
    numbers = np.random.default_rng(0)
    clean = numbers.normal(size=100_000) * getattr(process, "data_std", 1.0)
    noise = numbers.normal(size=100_000)
    for sigma in (0.02, 0.3, 1.0, 10.0, 70.0):
        level = jnp.float32(sigma)
        noisy = process.scales(level).input * (clean + sigma * noise)
        target = process.target(jnp.asarray(clean), jnp.asarray(noise), level)
        assert np.var(noisy) == pytest.approx(1.0, abs=0.02)
        assert np.var(target) == pytest.approx(1.0, abs=0.02)


@BOTH
def test_the_right_answer_gives_the_clean_example(process):
    clean, noise, sigma = jnp.array([0.3, -1.0]), jnp.array([1.5, 0.2]), jnp.array([0.1, 5.0])
    scales, noisy = process.scales(sigma), clean + sigma * noise
    found = scales.skip * noisy + scales.out * process.target(clean, noise, sigma)
    np.testing.assert_allclose(found, clean, atol=1e-5)


def test_variances_of_ddpm_are_the_papers():
    """Its forward process, step by step: x' = sqrt(1 - beta) x + sqrt(beta) n keeps a variance of 1."""
    process, mean, variance = DDPM(), 1.0, 0.0
    for time, beta in enumerate(np.linspace(1e-4, 0.02, 1000)):
        mean, variance = mean * (1 - beta) ** 0.5, variance * (1 - beta) + beta
        if time in (0, 10, 500, 999):
            scales = process.scales(jnp.float32(process.sigmas[time]))
            assert scales.time == pytest.approx(time, abs=1e-2)
            assert scales.input == pytest.approx(mean, rel=1e-4)
            assert scales.input * process.sigmas[time] == pytest.approx(variance**0.5, rel=1e-4)
    assert variance == pytest.approx(1.0, abs=1e-4)


def test_ddpm_guesses_the_noise():
    clean, noise = jnp.array([0.3, 0.1]), jnp.array([0.5, -2.0])
    np.testing.assert_allclose(DDPM().target(clean, noise, jnp.float32(3.0)), noise, rtol=1e-6)


def test_edms_scales_are_those_of_table_1():
    sigma, data = 2.0, 0.5
    skip, out, input_, time = EDM().scales(jnp.float32(sigma))
    assert skip == pytest.approx(data**2 / (sigma**2 + data**2))
    assert out == pytest.approx(sigma * data / (sigma**2 + data**2) ** 0.5)
    assert input_ == pytest.approx(1 / (sigma**2 + data**2) ** 0.5)
    assert time == pytest.approx(np.log(sigma) / 4)


def test_levels_fall_to_zero():
    for levels in (DDPM().levels(1000), DDPM().levels(7), EDM().levels(18), EDM().levels(1), spread(1, 2, 3)):
        assert (np.diff(levels) < 0).all()
        assert levels[-1] == 0
    np.testing.assert_allclose(DDPM().levels(1000)[:-1], DDPM().sigmas[::-1])
    # The official code's, of 18 steps: the second and the last but one.
    assert EDM().levels(18)[[0, 1, 16, 17]] == pytest.approx([80.0, 57.586, 0.0075, 0.002], rel=0.01)


def test_levels_of_training_are_drawn_as_they_should():
    keys = jax.random.split(jax.random.key(0), 4000)
    drawn = np.log(jax.vmap(EDM().draw)(keys))
    assert drawn.mean() == pytest.approx(-1.2, abs=0.1)
    assert drawn.std() == pytest.approx(1.2, abs=0.1)
    process = DDPM(noise_steps=4)
    _, counts = np.unique(jax.vmap(process.draw)(keys), return_counts=True)
    assert counts / 4000 == pytest.approx([0.25] * 4, abs=0.03)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: DDPM(noise_steps=0), "noise_steps=0"),
        (lambda: DDPM(last_beta=1.0), "last_beta=1.0"),
        (lambda: DDPM(noise_steps=10).levels(11), "noise_steps=10 at most"),
        (
            lambda: DDPM(noise_steps=10_000),
            "noise_steps=10000 with .* sigma=9.34e.21, whose square no float32",
        ),
        (lambda: DDPM(last_beta=0.9), "sigma=inf, whose square"),
        (lambda: EDM(data_std=0.0), "data_std=0.0"),
        (lambda: EDM(least=90.0), "below most=80"),
    ],
)
def test_bad_numbers_are_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()
