"""Each game by hand on a game of one pixel, and on the bilinear one where they differ most."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.algorithms.gan import GAN
from gan_jax.core.games import Alternating, Consensus, Extragradient, Simultaneous
from gan_jax.core.update import LossOut, Update
from gan_jax.losses.adversarial import wasserstein
from gan_jax.losses.penalties import R1
from gan_jax.optim.schedules import linear as line
from tests.algorithms.linear import (
    RATES,
    START,
    GivenGAN,
    batches_of,
    gradient,
    linear,
    slopes,
    start,
    test_the_closed_form_is_the_gradient,  # noqa: F401 (it is run from here)
    values,
)

ONE, TWO = np.array([1.0, -0.5, 2.0]), np.array([4.0, 0.5, -3.0])
STEPS = 3
GENERATOR, DISCRIMINATOR = np.array([1, 1, 0, 0]), np.array([0, 0, 1, 1])


def path_of(algorithm, *rows, theta=START, steps=STEPS):
    """The parameters after each step, on the same mini-batches."""
    batches = batches_of(*rows)
    state, step, path = start(algorithm, batches, theta), jax.jit(algorithm.step), []
    for _ in range(steps):
        state, metrics = step(state, batches)
        path.append(values(state))
    return np.array(path), state, metrics


def by_hand(move, theta=START, steps=STEPS):
    path = []
    for _ in range(steps):
        theta = move(theta)
        path.append(theta)
    return np.array(path)


def one_after_the_other(theta):
    theta = theta - RATES * DISCRIMINATOR * slopes(theta, ONE)
    return theta - RATES * GENERATOR * slopes(theta, ONE)


def at_once(theta):
    return theta - RATES * slopes(theta, ONE)


def test_alternating_and_simultaneous_by_hand_and_different():
    alternating = path_of(linear(game=Alternating()), ONE)[0]
    simultaneous = path_of(linear(game=Simultaneous()), ONE)[0]
    np.testing.assert_allclose(alternating, by_hand(one_after_the_other), rtol=1e-5)
    np.testing.assert_allclose(simultaneous, by_hand(at_once), rtol=1e-5)
    assert np.abs(alternating - simultaneous).max() > 1e-3
    np.testing.assert_array_equal(alternating[0, 2:], simultaneous[0, 2:])  # the first to move sees the same


def test_extragradient_by_hand_on_two_minibatches():
    algorithm = linear(game=Extragradient())
    assert algorithm.minibatches == 2

    def move(theta):
        ahead = theta - RATES * slopes(theta, ONE)
        return theta - RATES * slopes(ahead, TWO)

    path, state, _ = path_of(algorithm, ONE, TWO)
    np.testing.assert_allclose(path, by_hand(move), rtol=1e-5)
    assert int(state.step) == STEPS


def test_extragradient_moments_see_both_gradients():
    """Momentum m: the extrapolation adds its gradient to it, and the descent the other."""
    momenta = dict(generator_tx=optax.sgd(0.1, 0.9), discriminator_tx=optax.sgd(0.2, 0.9))
    path = path_of(linear(game=Extragradient(), **momenta), ONE, TWO)[0]
    theta, moment = START, np.zeros(4)
    for found in path:
        moment = 0.9 * moment + slopes(theta, ONE)
        moment = 0.9 * moment + slopes(theta - RATES * moment, TWO)
        theta = theta - RATES * moment
        np.testing.assert_allclose(found, theta, rtol=1e-5, atol=1e-7)


def consensus_by_hand(theta, weight):
    def size(theta):
        return 0.5 * np.sum(slopes(theta, ONE) ** 2)

    return theta - RATES * (slopes(theta, ONE) + weight * gradient(size, theta))


def test_consensus_by_hand():
    """The gradient of |v|^2 / 2 reaches every parameter through both players' gradients."""
    path = path_of(linear(game=Consensus(weight=2.0)), ONE)[0]
    np.testing.assert_allclose(path, by_hand(lambda theta: consensus_by_hand(theta, 2.0)), rtol=1e-5)
    assert np.abs(path - by_hand(at_once)).max() > 0.01


def test_consensus_weight_may_be_a_schedule():
    path = path_of(linear(game=Consensus(weight=line(3.0, 0.0, 2))), ONE)[0]
    theta = START
    for found, weight in zip(path, [3.0, 1.5, 0.0], strict=True):
        theta = consensus_by_hand(theta, weight)
        np.testing.assert_allclose(found, theta, rtol=1e-5)


class InTwoParts(GivenGAN):
    """The discriminator's loss as two updates, each of half of it."""

    def updates(self):
        def half(params, state, batch, key):
            loss, out = self.discriminator_loss(params, state, batch, key)
            return 0.5 * loss, LossOut(metrics={"half": loss}, stats=out.stats, extra=out.extra)

        both = [Update("discriminator", half) for _ in range(2)]
        return (*both, Update("generator", self.generator_loss))


@pytest.mark.parametrize("game", [Simultaneous(), Consensus(weight=2.0), Extragradient()])
def test_two_updates_of_one_player_are_their_sum(game):
    rows = [ONE, TWO][: linear(game=game).minibatches]
    np.testing.assert_allclose(
        path_of(linear(InTwoParts, game=game), *rows)[0], path_of(linear(game=game), *rows)[0], rtol=1e-5
    )


@pytest.mark.parametrize("game", [Alternating(), Simultaneous()])
def test_a_lazy_update_sees_what_its_game_says(game):
    """R1 of a linear critic is w^2 / 2: at the old w, or at the one that the main descent left."""
    path, _, _ = path_of(linear(game=game, penalties=(R1(weight=0.3, every=2),)), ONE)
    theta = START
    for number, found in enumerate(path):
        old = theta
        theta = theta - RATES * DISCRIMINATOR * slopes(theta, ONE)
        if number % 2 == 0:
            w = old[2] if game == Simultaneous() else theta[2]
            theta = theta - 0.2 * 2 * 0.3 * w * np.array([0, 0, 1, 0])
        before = old if game == Simultaneous() else theta
        theta = theta - RATES * GENERATOR * slopes(before, ONE)
        np.testing.assert_allclose(found, theta, rtol=1e-5)


# The bilinear game: D(x) = w x on reals that are all 0, G(z) = b. Its equilibrium is b = w = 0.


class Still(GAN):
    def latents(self, key, count):
        return jnp.zeros((count, 1))


def distances(game, rate=0.2, steps=60):
    """|(b, w)| after every step of Wasserstein's game, from (1, 1)."""
    tx = optax.sgd(rate)
    algorithm = linear(Still, game=game, loss=wasserstein(), generator_tx=tx, discriminator_tx=tx)
    rows = [np.zeros(2)] * algorithm.minibatches
    path = path_of(algorithm, *rows, theta=np.array([0.0, 1.0, 1.0, 0.0]), steps=steps)[0]
    np.testing.assert_allclose(path[:, [0, 3]], 0.0, atol=1e-6)
    return np.linalg.norm(path[:, 1:3], axis=1)


@pytest.mark.parametrize(
    ("game", "factor"),
    [
        (Simultaneous(), np.hypot(1, 0.2)),
        (Extragradient(), np.hypot(1 - 0.2**2, 0.2)),
        (Consensus(weight=0.5), np.hypot(1 - 0.2 * 0.5, 0.2)),
    ],
)
def test_bilinear_game_turns_and_grows_or_shrinks_by_a_factor(game, factor):
    """With v = (-w, b) every step is a rotation times this; simultaneous descent diverges."""
    found = distances(game)
    np.testing.assert_allclose(found, np.sqrt(2) * factor ** np.arange(1, 61), rtol=1e-4)
    assert (found[-1] > 4) == isinstance(game, Simultaneous)
    assert (found[-1] < 0.5) != isinstance(game, Simultaneous)


def test_bilinear_game_alternating_goes_round():
    """Neither nearer nor further: the map has determinant 1 and complex eigenvalues."""
    found = distances(Alternating())
    assert 1.0 < found.min() < found.max() < 2.0


# What cannot be played


@pytest.mark.parametrize("game", [Simultaneous(), Extragradient(), Consensus()])
def test_several_descents_in_a_row_are_refused(game):
    name = type(game).__name__.lower()
    with pytest.raises(ValueError, match=rf"the game {name} takes one gradient .* the game alternating"):
        _ = linear(game=game, discriminator_steps=2).minibatches
    assert linear(game=game).minibatches == (2 if name == "extragradient" else 1)


def test_consensus_refuses_lazy_updates():
    with pytest.raises(ValueError, match=r"the game consensus .* set every=1"):
        _ = linear(game=Consensus(), penalties=(R1(weight=1.0, every=2),)).minibatches


@pytest.mark.parametrize("weight", [-1.0, float("nan"), "much"])
def test_impossible_weights_of_consensus_are_refused(weight):
    with pytest.raises(ValueError, match="weight="):
        Consensus(weight=weight)


def test_games_are_values():
    assert Consensus(weight=2.0) == dataclasses.replace(Consensus(), weight=2.0)
