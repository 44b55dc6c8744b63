"""Samplers with the exact denoiser of a Gaussian mixture: what they make can be compared with it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.algorithms.processes import DDPM, EDM
from gan_jax.algorithms.solvers import DDIM, SAMPLERS, Ancestral, Heun

MEANS, SHARES, STD = jnp.array([-1.5, 0.5, 2.0]), jnp.array([0.5, 0.2, 0.3]), 0.1
COUNT = 4_000


def exact(x, sigma):
    """E[clean | clean + sigma noise = x] where clean is drawn from the mixture, x of any shape."""
    total = STD**2 + sigma**2
    logits = jnp.log(SHARES) - (x[..., None] - MEANS) ** 2 / (2 * total)
    posterior = MEANS + STD**2 / total * (x[..., None] - MEANS)
    return jnp.sum(jax.nn.softmax(logits) * posterior, axis=-1)


def noise(number):
    return jax.random.normal(jax.random.fold_in(jax.random.key(0), number), (COUNT,))


@pytest.mark.parametrize(
    ("process", "sampler"),
    [
        (DDPM(), DDIM(steps=200)),
        (DDPM(), DDIM(steps=200, eta=0.5)),
        (DDPM(), Ancestral(steps=1000)),
        (DDPM(), Heun(steps=40)),
        (EDM(), DDIM(steps=200)),
        (EDM(), Heun(steps=40)),
    ],
    ids=lambda one: getattr(one, "name", type(one).__name__),
)
def test_the_exact_denoiser_gives_the_mixture(process, sampler):
    made = np.asarray(jax.jit(lambda: sampler.solve(exact, noise, process))())
    nearest = np.abs(made[:, None] - np.asarray(MEANS)).argmin(axis=1)
    assert np.bincount(nearest) / COUNT == pytest.approx(np.asarray(SHARES), abs=0.03)
    for mode, mean in enumerate(np.asarray(MEANS)):
        assert made[nearest == mode].mean() == pytest.approx(mean, abs=0.02)
        assert made[nearest == mode].std() == pytest.approx(STD, rel=0.1)


def error_at_the_least(sampler):
    """Of x where the last step begins, which is of another kind: it gives what the denoiser says of x.

    Of one Gaussian, whose trajectories are known: x / sqrt(std^2 + sigma^2) stays as it is.
    """
    process = EDM(least=0.2, most=10.0)
    said = lambda sigma: STD**2 / (STD**2 + sigma**2)
    clean = jax.jit(lambda: sampler.solve(lambda x, s: x * said(s), lambda number: jnp.ones(1), process))()
    start = np.sqrt(STD**2 + process.most**2)
    exact = process.most * np.sqrt(STD**2 + process.least**2) / start
    return abs(float(clean[0]) / said(process.least) - exact)


def test_heuns_error_falls_fourfold_and_eulers_by_half_with_twice_the_steps():
    heun = [error_at_the_least(Heun(steps=n + 1)) for n in (20, 40, 80)]
    euler = [error_at_the_least(DDIM(steps=n + 1)) for n in (20, 40, 80)]
    assert heun[0] / heun[1] == pytest.approx(4, rel=0.15)
    assert heun[1] / heun[2] == pytest.approx(4, rel=0.1)
    assert euler[0] / euler[1] == pytest.approx(2, rel=0.15)
    assert euler[1] / euler[2] == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("sampler", [DDIM(steps=5), Ancestral(steps=5), Heun(steps=5), Heun(steps=1)])
def test_evaluations_are_counted(sampler):
    seen: list[Any] = []

    def denoise(x, sigma):
        jax.debug.callback(seen.append, sigma)
        return 0.5 * x

    jax.jit(lambda: sampler.solve(denoise, lambda number: jnp.ones(1), EDM()))().block_until_ready()
    jax.effects_barrier()
    assert len(seen) == sampler.evaluations
    assert SAMPLERS[sampler.name] is type(sampler)
    assert sampler.described().startswith(f"{sampler.name}, {sampler.steps} steps")


def test_ddim_with_eta_1_is_ancestral():
    one, other = (s.solve(exact, noise, DDPM()) for s in (DDIM(steps=9, eta=1.0), Ancestral(steps=9)))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: DDIM(steps=0), "steps=0"),
        (lambda: DDIM(eta=1.5), "eta=1.5"),
        (lambda: Heun(rho=0.0), "rho=0.0"),
        (lambda: Heun(guidance=float("nan")), "guidance=nan"),
    ],
)
def test_bad_numbers_are_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()
