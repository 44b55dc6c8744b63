"""The unrolled GAN on the game of one pixel: by hand, by finite differences, and step by step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.algorithms.gan import GAN
from gan_jax.algorithms.unrolled import UNROLLED, UnrolledGAN
from gan_jax.optim.optimizers import adam, sgd
from tests.algorithms.linear import (
    START,
    Given,
    GivenGAN,
    batches_of,
    generator_loss,
    gradient,
    linear,
    sigmoid,
    slopes,
    start,
    values,
)
from tests.variants import VARIANTS, first_state, steps_of

REAL = np.array([1.0, -0.5, 2.0])
RATE = 0.7  # of the discriminator: so large that what it does ahead matters


class GivenUnrolled(Given, UnrolledGAN):
    pass


def stepped(steps, tx, kind=GivenUnrolled, theta=START, number=1):
    """State and metrics after train steps; the discriminator of kind GAN has nothing to unroll."""
    fields = {"unrolled_steps": steps} if kind is GivenUnrolled else {}
    algorithm = linear(kind, discriminator_tx=tx, **fields)
    batches = batches_of(REAL)
    state, step = start(algorithm, batches, theta), jax.jit(algorithm.step)
    for _ in range(number):
        state, metrics = step(state, batches)
    return state, metrics


class Adam:
    """Adam with eps_root in float64, for the discriminator's two parameters."""

    def __init__(self, rate, b1=0.5, b2=0.9, eps=1e-8, eps_root=1e-3):
        self.settings = rate, b1, b2, eps, eps_root

    def run(self, theta, count, moments=(0.0, 0.0), done=0):
        rate, b1, b2, eps, eps_root = self.settings
        m, s = moments
        for number in range(done + 1, done + count + 1):
            g = slopes(theta, REAL)[2:]
            m, s = b1 * m + (1 - b1) * g, b2 * s + (1 - b2) * g**2
            move = rate * (m / (1 - b1**number)) / (np.sqrt(s / (1 - b2**number) + eps_root) + eps)
            theta = np.concatenate([theta[:2], theta[2:] - move])
        return theta, (m, s)


class Descent:
    """The same of gradient descent."""

    def run(self, theta, count, moments=None, done=0):
        for _ in range(count):
            theta = theta - RATE * np.array([0, 0, 1, 1]) * slopes(theta, REAL)
        return theta, moments


def test_no_steps_ahead_are_the_plain_gan_bit_for_bit():
    for tx in (sgd(RATE), adam(0.05)):
        (state, metrics), (plain, same) = stepped(0, tx, number=3), stepped(0, tx, GivenGAN, number=3)
        jax.tree.map(np.testing.assert_array_equal, state.generator, plain.generator)
        jax.tree.map(np.testing.assert_array_equal, state.discriminator, plain.discriminator)
        jax.tree.map(np.testing.assert_array_equal, metrics, same)


def test_one_step_ahead_by_hand():
    """d/da of L_G(a, b, w', c') with w' = w - rate dL_D/dw, which itself depends on a and b."""
    state, metrics = stepped(1, sgd(RATE))
    theta = Descent().run(START, 1)[0]  # the discriminator's own descent comes first
    a, b, w, c = theta
    z = np.arange(3)
    fake = a * z + b
    high = sigmoid(w * fake + c)
    too_low = sigmoid(w * REAL + c) - 1
    ahead_w = w - RATE * (too_low * REAL + high * fake).mean()
    ahead_c = c - RATE * (too_low + high).mean()
    wrong = sigmoid(ahead_w * fake + ahead_c) - 1  # dL_G / d logit, per example
    curve = high * (1 - high)
    for index, d_fake in enumerate((z, np.ones(3))):  # d fake / da, d fake / db
        w_moves = -RATE * ((curve * w * fake + high) * d_fake).mean()
        c_moves = -RATE * (curve * w * d_fake).mean()
        slope = (wrong * (ahead_w * d_fake + w_moves * fake + c_moves)).mean()
        np.testing.assert_allclose(values(state)[index], START[index] - 0.1 * slope, rtol=1e-5)
        stopped = (wrong * ahead_w * d_fake).mean()  # with a discriminator that does not answer
        assert abs(stopped - slope) > 0.01
    np.testing.assert_allclose(
        metrics["generator_loss"], generator_loss([a, b, ahead_w, ahead_c], REAL), 1e-5
    )
    np.testing.assert_allclose(values(state)[2:], [w, c], rtol=1e-5)


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize(
    ("tx", "by_hand"),
    [(sgd(RATE), Descent()), (adam(0.3, 0.5, 0.9, eps_root=1e-3), Adam(0.3))],
    ids=["sgd", "adam"],
)
def test_gradient_goes_through_all_steps_and_the_optimizer(steps, tx, by_hand):
    """Against finite differences in float64 of the whole unrolled loss."""
    state, metrics = stepped(steps, tx)
    theta, moments = by_hand.run(START, 1)

    def loss(theta):
        return generator_loss(by_hand.run(theta, steps, moments, done=1)[0], REAL)

    slope = gradient(loss, theta)[:2]
    np.testing.assert_allclose(metrics["generator_loss"], loss(theta), rtol=1e-5)
    np.testing.assert_allclose(values(state)[:2], START[:2] - 0.1 * slope, rtol=1e-5)
    assert np.abs(slope - gradient(lambda t: generator_loss(t, REAL), theta)[:2]).max() > 0.01


def test_the_discriminator_moves_by_its_own_step_alone():
    """Parameters and moments are those of the plain GAN's first step."""
    for tx in (sgd(RATE), adam(0.3, eps_root=1e-3)):
        ahead, plain = stepped(3, tx)[0], stepped(0, tx, GivenGAN)[0]
        jax.tree.map(np.testing.assert_array_equal, ahead.discriminator, plain.discriminator)


@pytest.mark.slow
def test_networks_with_statistics_against_an_unrolled_loop():
    """MLPs with BatchNorm, dropout and Adam: the scan is the loop written out."""
    algorithm, state = VARIANTS["unrolled"](), first_state("unrolled")
    assert isinstance(algorithm, UnrolledGAN)
    batch = jax.tree.map(lambda x: jnp.asarray(x[0, 0]), steps_of(algorithm))
    key = jax.random.key(3)

    def loop(params):
        moved = state.replace(generator=state.generator.replace(params=params))
        player = moved.discriminator
        for index in range(algorithm.unrolled_steps):
            step_key = jax.random.fold_in(jax.random.fold_in(key, UNROLLED), index)
            now = moved.replace(discriminator=player)

            def loss(own, at=now, step_key=step_key):
                return GAN.discriminator_loss(algorithm, own, at, batch, step_key)

            grads, out = jax.grad(loss, has_aux=True)(player.params)
            changes, opt = algorithm.discriminator_tx.update(
                grads, player.opt, player.params, step=state.step
            )
            params_ahead = optax.apply_updates(player.params, changes)
            player = player.replace(params=params_ahead, stats=out.stats, opt=opt)
        return GAN.generator_loss(algorithm, params, moved.replace(discriminator=player), batch, key)[0]

    def scan(params):
        return algorithm.generator_loss(params, state, batch, key)[0]

    params = state.generator.params
    expected, found = (jax.jit(jax.value_and_grad(f))(params) for f in (loop, scan))
    norms = [float(optax.tree.norm(grads)) for _, grads in (expected, found)]
    assert np.isfinite(norms).all()
    assert norms[0] > 1e-3
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), found, expected)


@pytest.mark.parametrize("steps", [-1, 1.5, True])
def test_impossible_numbers_of_steps_are_refused(steps):
    with pytest.raises(ValueError, match=f"unrolled_steps={steps}: it must be a positive integer"):
        linear(UnrolledGAN, unrolled_steps=steps)
