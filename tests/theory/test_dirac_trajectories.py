"""The Dirac-GAN trained by the library's own step goes where the closed forms say."""

from __future__ import annotations

import numpy as np
import pytest

from gan_jax.algorithms.unrolled import UnrolledGAN
from gan_jax.core.games import Alternating, Consensus, Extragradient, Simultaneous
from gan_jax.losses.adversarial import LOSSES, wasserstein
from gan_jax.losses.penalties import DRAGAN, R1, WGANGP, LeCam
from gan_jax.optim.optimizers import optimistic_adam, sgd
from gan_jax.theory import dirac
from gan_jax.theory import dirac_spectra as spectra
from gan_jax.theory.dirac import dirac_gan, eigenvalues, measured_rate, trajectory
from gan_jax.theory.dirac_spectra import LOSS_SLOPES
from tests.theory.test_dirac import RATE, both


@pytest.mark.parametrize(
    "fields",
    [
        dict(game=Simultaneous()),
        dict(game=Alternating()),
        dict(game=Extragradient()),
        dict(game=Consensus(weight=0.2)),
        dict(penalties=(R1(weight=0.1),)),
        dict(penalties=(R1(weight=2.0),), game=Simultaneous()),
        dict(kind=UnrolledGAN, unrolled_steps=2),
        dict(**both(sgd(RATE, 0.3))),
        dict(**both(optimistic_adam(RATE, b1=0.0, b2=0.5, eps=1.0, eps_root=1e-4)), settle=200),
    ],
    ids=lambda fields: "-".join(str(getattr(v, "name", v))[:20] for v in fields.values()),
)
def test_trajectories_contract_by_the_largest_eigenvalue(fields):
    """From 0.00001, where the game is as good as linear, over many turns."""
    settle = fields.pop("settle", 0)
    algorithm = dirac_gan(RATE, **fields)
    largest = abs(eigenvalues(algorithm, settle_steps=settle)[0])
    path = trajectory(algorithm, 1e-5, 0.0, 800)
    assert measured_rate(path, skip_steps=100) == pytest.approx(largest, abs=2e-4)


def test_trajectory_is_the_power_of_the_matrix():
    """Wasserstein's game with R1 is linear everywhere."""
    algorithm = dirac_gan(RATE, loss=wasserstein(), penalties=(R1(weight=0.5),), game=Simultaneous())
    move = np.eye(2) + RATE * np.array([[0.0, 1.0], [-1.0, -0.5]])
    expected = [np.linalg.matrix_power(move, t) @ [1.0, -0.5] for t in range(61)]
    np.testing.assert_allclose(trajectory(algorithm, 1.0, -0.5, 60), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["minimax", "non_saturating", "relativistic_paired", "hinge"])
def test_simultaneous_descent_leaves_monotonically(name):
    """Mescheder et al. 2018, section 2: the distance grows in every step."""
    path = trajectory(dirac_gan(RATE, loss=LOSSES[name](), game=Simultaneous()), 0.3, 0.2, 60)
    if name == "non_saturating":
        path = path[:20]  # far from the equilibrium its two slopes differ
    distance = np.linalg.norm(path, axis=1)
    assert (np.diff(distance) > 0).all()


@pytest.mark.parametrize("weight", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("kind", [WGANGP, DRAGAN])
def test_norm_penalties_end_in_the_cycle(kind, weight):
    """Also overdamped (2.0), where training stops at the wrong point; within a few steps of the rate."""
    algorithm = dirac_gan(0.01, loss=wasserstein(), penalties=(kind(weight=weight, target=0.5),))
    path = trajectory(algorithm, 0.3, 0.2, 12_000)
    expected = spectra.norm_penalty_cycle(LOSS_SLOPES["wasserstein"], weight, 0.5)
    assert np.abs(path[-3000:, 0]).max() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("game", [Simultaneous(), Alternating()])
def test_clipping_ends_in_a_circle(game):
    """Simultaneous descent is pushed out to it, and alternating one that starts farther out falls back."""
    algorithm = dirac_gan(0.01, loss=wasserstein(), game=game, discriminator_tx=sgd(0.01, weight_clip=0.3))
    path = trajectory(algorithm, 0.25 if isinstance(game, Simultaneous) else 1.0, 0.0, 20_000)
    assert np.abs(path[-2000:, 1]).max() == pytest.approx(0.3, rel=1e-3)
    expected = spectra.clipping_cycle(LOSS_SLOPES["wasserstein"], 0.3)
    assert np.abs(path[-2000:, 0]).max() == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("weight", [0.25, 0.5])
def test_historical_averaging_converges_as_a_power_of_the_step(weight):
    """|(theta, psi)| ~ t^-p where weight |x - mean of the past|^2 is added to both losses.

    The mean m moves by 1 / t of its distance to x, ever slower, and x follows where the field J x balances
    the pull 2 weight (x - m). So t dm/dt = J (2 weight - J)^-1 m; its eigenvalues have the real part
    -omega^2 / (4 weight^2 + omega^2), and omega is 1 here.
    """
    algorithm = dirac_gan(0.1, loss=wasserstein(), **both(sgd(0.1, historical_averaging=weight)))
    distance = np.linalg.norm(trajectory(algorithm, 1.0, 0.0, 20_000), axis=1)
    steps = np.arange(1000, 20_000)
    power = np.polyfit(np.log(steps), np.log(distance[steps]), 1)[0]
    assert -power == pytest.approx(1.0 / (4.0 * weight**2 + 1.0), rel=0.01)


@pytest.mark.parametrize(
    ("name", "more"), [("non_saturating", 0.0), ("relativistic_average", 0.0), ("minimax", 1.0)]
)
def test_alternating_descent_is_drawn_in_as_the_root_of_the_step(name, more):
    """Between two times, by 1 / r^2, which forgets neither start nor beats; LeCam of weight 1/2 adds 1."""
    penalties = (LeCam(weight=more / 2, decay=0.0, start_step=0),) if more else ()
    algorithm = dirac_gan(0.05, loss=LOSSES[name](), penalties=penalties)
    square = np.sum(trajectory(algorithm, 0.3, 0.0, 20_000) ** 2, axis=1)
    grown = 1 / square[-500:].mean() - 1 / square[:500].mean()
    expected = spectra.bent_decay(LOSS_SLOPES[name].bend + more, 0.05, 20_000 - 500) ** -2
    assert grown == pytest.approx(expected, rel=0.03)


def test_a_bend_ends_simultaneous_descent_in_a_cycle():
    algorithm = dirac_gan(0.02, game=Simultaneous())
    distance = np.linalg.norm(trajectory(algorithm, 0.3, 0.0, 60_000)[-5000:], axis=1)
    assert distance.mean() == pytest.approx(spectra.bent_cycle(LOSS_SLOPES["non_saturating"], 0.02), rel=0.03)


def test_without_a_bend_the_distance_stays():
    """Minimax: the field is at right angles to the place, (sigma(t) psi, -sigma(t) theta)."""
    assert LOSS_SLOPES["minimax"].bend == 0.0
    distance = np.linalg.norm(trajectory(dirac_gan(0.05, loss=LOSSES["minimax"]()), 1.0, 0.0, 10_000), axis=1)
    assert distance.min() > 0.97
    assert distance.max() < 1.03


def test_displacements_are_the_rate_times_the_field():
    """By hand, far from the equilibrium: (sigma(-t) psi, -sigma(t) theta) for the non-saturating game."""
    points = np.array([[[1.0, 0.5], [-0.5, 2.0]], [[0.0, 1.0], [3.0, -1.0]]])
    theta, psi = points[..., 0], points[..., 1]
    odds = 1 / (1 + np.exp(-theta * psi))
    expected = RATE * np.stack([(1 - odds) * psi, -odds * theta], axis=-1)
    found = dirac.displacements(dirac_gan(RATE, game=Simultaneous()), points)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_rate_needs_points_off_the_equilibrium():
    with pytest.raises(ValueError, match="off the equilibrium"):
        measured_rate(np.zeros((5, 2)))
