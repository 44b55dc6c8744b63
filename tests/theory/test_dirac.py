"""Eigenvalues of the library's own training step on the Dirac-GAN, against closed forms."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from gan_jax.algorithms.unrolled import UnrolledGAN
from gan_jax.core.games import Alternating, Consensus, Extragradient, Simultaneous
from gan_jax.losses.adversarial import LOSSES, least_squares
from gan_jax.losses.penalties import R1, R2, LeCam
from gan_jax.optim.optimizers import adam, optimistic_adam, sgd
from gan_jax.theory import dirac_spectra as spectra
from gan_jax.theory.dirac import dirac_gan, eigenvalues
from gan_jax.theory.dirac_spectra import LOSS_SLOPES, LinearGame, Slopes

RATE = 0.2
NS = LOSS_SLOPES["non_saturating"]
TURNING = LinearGame(NS.generator, NS.discriminator)


def both(tx):
    """The same optimizer for both players."""
    return dict(generator_tx=tx, discriminator_tx=tx)


def loss_of(name):
    """The loss that LOSS_SLOPES speaks of."""
    return least_squares(a=-1.0, b=1.0, c=1.0) if name == "least_squares" else LOSSES[name]()


def assert_same_spectrum(found, expected, tolerance=2e-6):
    """As coefficients of the characteristic polynomial: double eigenvalues are ill-conditioned."""
    np.testing.assert_allclose(np.poly(found), np.poly(expected), rtol=0, atol=tolerance)


def slopes_by_differentiation(loss):
    """LOSS_SLOPES' entry from the scalar losses, with as many pairs of signs as the noise can have."""
    signs = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])  # uncorrelated, of variance 1
    zeros = np.zeros(4)
    alpha = -jax.grad(lambda t: loss.generator(zeros, zeros + t))(0.0)
    beta = jax.grad(lambda t: loss.discriminator(zeros, zeros + t))(0.0)
    curvature = jax.grad(jax.grad(lambda p: loss.discriminator(p * signs[:, 0], p * signs[:, 1])))(0.0)
    of_generator = jax.grad(jax.grad(lambda t: loss.generator(zeros, zeros + t)))(0.0)
    of_discriminator = jax.grad(jax.grad(lambda t: loss.discriminator(zeros, zeros + t)))(0.0)
    return Slopes(float(alpha), float(beta), float(curvature), float(of_generator + of_discriminator))


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_the_slopes_are_those_of_the_losses(name):
    np.testing.assert_allclose(slopes_by_differentiation(loss_of(name)), LOSS_SLOPES[name], atol=1e-6)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_simultaneous_descent_on_every_loss_is_repelled(name):
    """1 +- i h omega, omega by hand: 1/2 for the cross entropies, 1 for the others."""
    omega = 0.5 if name in ("minimax", "non_saturating", "relativistic_paired") else 1.0
    found = eigenvalues(dirac_gan(RATE, loss=loss_of(name), game=Simultaneous()))
    assert_same_spectrum(found, [1 + 1j * RATE * omega, 1 - 1j * RATE * omega])
    assert abs(found[0]) > 1.0


def test_default_least_squares_leaves_the_discriminator_without_a_direction():
    """a = 0 is the reals' logit already: a double eigenvalue 1, and psi is the only one that theta feels."""
    found = eigenvalues(dirac_gan(RATE, loss=least_squares(), game=Simultaneous()))
    assert_same_spectrum(found, [1.0, 1.0])


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_alternating_descent_goes_round(steps):
    """Mescheder et al. 2018, section 2: on the unit circle while a = sqrt(n_d) h f'(0) <= 2."""
    a = np.sqrt(steps) * RATE * 0.5
    root = np.sqrt((1 - a**2 / 2) ** 2 - 1 + 0j)
    found = eigenvalues(dirac_gan(RATE, discriminator_steps=steps))
    assert_same_spectrum(found, [1 - a**2 / 2 + root, 1 - a**2 / 2 - root])
    np.testing.assert_allclose(np.abs(found), 1.0, atol=1e-6)
    assert_same_spectrum(spectra.alternating(TURNING, RATE, steps), found)


def test_alternating_descent_diverges_at_a_great_rate():
    """Beyond a = 2 the two eigenvalues are real, and one is outside of the circle."""
    found = eigenvalues(dirac_gan(5.0))
    assert_same_spectrum(found, spectra.alternating(TURNING, 5.0), 1e-4)
    assert abs(found[0]) > 1.5
    np.testing.assert_allclose(found.imag, 0.0, atol=1e-6)


def test_two_time_scales_turn_with_the_geometric_mean_of_the_rates():
    algorithm = dirac_gan(RATE, game=Simultaneous(), generator_tx=sgd(0.1), discriminator_tx=sgd(0.4))
    turn = 1j * 0.5 * np.sqrt(0.1 * 0.4)
    assert_same_spectrum(eigenvalues(algorithm), [1 + turn, 1 - turn])


@pytest.mark.parametrize("game", [Simultaneous(), Alternating(), Extragradient()])
@pytest.mark.parametrize("penalties", [(R1(weight=0.3),), (R1(weight=0.3), R2(weight=0.9))])
def test_zero_centred_penalties_draw_to_the_equilibrium(game, penalties):
    """Mescheder et al. 2018, section 3: -gamma / 2 +- sqrt(gamma^2 / 4 - f'(0)^2); gamma adds up."""
    gamma = sum(float(penalty.weight.value) for penalty in penalties)
    field = -gamma / 2 + np.array([1, -1]) * np.sqrt(gamma**2 / 4 - 0.25 + 0j)
    damped = spectra.gradient_penalty(NS, gamma)
    np.testing.assert_allclose(damped.eigenvalues(), field, atol=1e-12)
    expected = {
        "Simultaneous": 1 + RATE * field,
        "Alternating": spectra.alternating(damped, RATE),
        "Extragradient": 1 + RATE * field + (RATE * field) ** 2,
    }[type(game).__name__]
    found = eigenvalues(dirac_gan(RATE, game=game, penalties=penalties))
    assert_same_spectrum(found, expected)
    assert abs(found[0]) < 1.0


def test_several_damped_discriminator_steps_by_hand():
    """The 2 x 2 matrices of three discriminator steps and a generator step, multiplied."""
    penalty = np.array([[1.0, 0.0], [-RATE * 0.5, 1 - RATE * 0.3]])
    move = np.array([[1.0, RATE * 0.5], [0.0, 1.0]]) @ np.linalg.matrix_power(penalty, 3)
    found = eigenvalues(dirac_gan(RATE, discriminator_steps=3, penalties=(R1(weight=0.3),)))
    assert_same_spectrum(found, np.linalg.eigvals(move))
    assert_same_spectrum(spectra.alternating(spectra.gradient_penalty(NS, 0.3), RATE, 3), found)


def test_a_lazy_penalty_acts_with_its_interval():
    """At a step at which it is due, `every` times the weight in a descent of its own."""
    algorithm = dirac_gan(RATE, game=Simultaneous(), penalties=(R1(weight=0.1, every=4),))
    expected = spectra.simultaneous(spectra.gradient_penalty(NS, 0.4), RATE)
    assert_same_spectrum(eigenvalues(algorithm), expected)


@pytest.mark.parametrize("name", ["minimax", "wasserstein", "relativistic_paired"])
def test_consensus_damps_both_players(name):
    """-weight omega^2 +- i omega: alpha = beta for every loss here."""
    omega = LOSS_SLOPES[name].generator
    field = np.array([-2.0 * omega**2 + 1j * omega, -2.0 * omega**2 - 1j * omega])
    assert_same_spectrum(spectra.consensus(LOSS_SLOPES[name], 2.0).eigenvalues(), field, 1e-12)
    found = eigenvalues(dirac_gan(RATE, loss=loss_of(name), game=Consensus(weight=2.0)))
    assert_same_spectrum(found, 1 + RATE * field)


def test_extragradient_contracts():
    found = eigenvalues(dirac_gan(RATE, game=Extragradient()))
    turn = RATE * 0.5
    assert_same_spectrum(found, [1 - turn**2 + 1j * turn, 1 - turn**2 - 1j * turn])
    np.testing.assert_allclose(np.abs(found), np.sqrt(1 - turn**2 + turn**4), atol=1e-6)


@pytest.mark.parametrize("game", [Simultaneous(), Alternating()])
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_unrolling_damps_the_generator(game, steps):
    damped = spectra.unrolled(NS, steps, RATE)
    expected = (
        spectra.simultaneous(damped, RATE)
        if isinstance(game, Simultaneous)
        else spectra.alternating(damped, RATE)
    )
    found = eigenvalues(dirac_gan(RATE, UnrolledGAN, unrolled_steps=steps, game=game))
    assert_same_spectrum(found, expected)
    if steps == 5:
        assert abs(found[0]) < 1.0


@pytest.mark.parametrize("name", ["non_saturating", "least_squares", "wasserstein", "relativistic_average"])
def test_instance_noise_damps_with_the_curvature(name):
    """Of 2^14 draws: the variance of a mean of squares is 2 / n, and 5 deviations are allowed."""
    draws, deviation = 2**14, 0.7
    algorithm = dirac_gan(RATE, loss=loss_of(name), game=Simultaneous(), instance_noise=deviation)
    expected = spectra.simultaneous(spectra.instance_noise(LOSS_SLOPES[name], deviation), RATE)
    found = eigenvalues(algorithm, batch_size=draws)
    assert_same_spectrum(found, expected, 5 * RATE * deviation**2 * np.sqrt(2 / draws))
    helps = name != "wasserstein"
    assert (abs(found[0]) < 1.0) == helps


@pytest.mark.parametrize("alternate", [False, True])
@pytest.mark.parametrize("kind", ["sgd", "adam", "optimistic_adam"])
def test_optimizers_with_a_memory(kind, alternate):
    """Adam's second moment decays by itself; the last direction is a function of the first moment."""
    game = Alternating() if alternate else Simultaneous()
    if kind == "sgd":
        found = eigenvalues(dirac_gan(RATE, game=game, **both(sgd(RATE, 0.5))))
        expected = list(spectra.momentum(0.5, RATE, 0.5, alternate))
    else:
        make = {"adam": adam, "optimistic_adam": optimistic_adam}[kind]
        tx = make(RATE, b1=0.5, b2=0.9, eps_root=0.25)  # a direction is twice the mean gradient
        found = eigenvalues(dirac_gan(RATE, game=game, **both(tx)), settle_steps=300)
        closed = spectra.momentum if kind == "adam" else spectra.optimistic
        memory = [0.9, 0.9] if kind == "adam" else [0.9, 0.9, 0.0, 0.0]
        expected = [*closed(0.5, RATE * 0.5 / 0.5, 0.5, alternate), *memory]
    assert_same_spectrum(found, expected, 1e-5)


def test_positive_momentum_drives_alternating_descent_away_and_optimism_brings_it_back():
    """The first is why GANs are trained with b1 = 0 or 0.5 (Gidel et al. 2019, arXiv:1807.04740)."""
    assert np.abs(spectra.alternating(TURNING, RATE)).max() == pytest.approx(1.0)
    assert np.abs(spectra.momentum(0.5, RATE, 0.9, alternate=True)).max() > 1.01
    assert np.abs(spectra.optimistic(0.5, RATE)).max() < 1.0 - 1e-3


def test_lecam_does_not_act_to_first_order():
    """(psi theta)^2 has no second derivative at 0; its averages fade by their decay."""
    found = eigenvalues(
        dirac_gan(RATE, penalties=(LeCam(weight=1.0, decay=0.9, start_step=0),)), settle_steps=1
    )
    assert_same_spectrum(found, [*spectra.alternating(TURNING, RATE), 0.9, 0.9])


def test_adam_without_eps_root_has_no_derivative():
    with pytest.raises(ValueError, match="eps_root"):
        eigenvalues(dirac_gan(RATE, **both(adam(RATE))))
