"""The adversarial losses against their formulas in float64 probabilities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.losses import (
    LOSSES,
    discriminator_cross_entropy,
    generator_minimax,
    generator_non_saturating,
)


def floats(values):
    return jnp.asarray(values, jnp.float32)


REAL = floats([-2.0, 0.3, 1.5, 4.0])
FAKE = floats([-3.0, -0.1, 0.7, 2.2])
EXTREME = floats([-1e4, -200.0, 0.0, 200.0, 1e4])


def sigmoid(x):
    return 1 / (1 + np.exp(-np.float64(x)))


def test_values_are_those_of_the_probabilities():
    d_real, d_fake = sigmoid(REAL), sigmoid(FAKE)
    value = np.log(d_real).mean() + np.log(1 - d_fake).mean()
    np.testing.assert_allclose(discriminator_cross_entropy(REAL, FAKE), -value, rtol=1e-6)
    np.testing.assert_allclose(generator_minimax(FAKE), np.log(1 - d_fake).mean(), rtol=1e-6)
    np.testing.assert_allclose(generator_non_saturating(FAKE), -np.log(d_fake).mean(), rtol=1e-6)


def test_gradients_in_closed_form():
    """d(-log D)/d logit = D - 1, d(-log(1 - D))/d logit = D, each over the size of the batch."""
    real, fake = jax.grad(discriminator_cross_entropy, (0, 1))(REAL, FAKE)
    np.testing.assert_allclose(real, (sigmoid(REAL) - 1) / 4, rtol=1e-6)
    np.testing.assert_allclose(fake, sigmoid(FAKE) / 4, rtol=1e-6)
    np.testing.assert_allclose(jax.grad(generator_minimax)(FAKE), -sigmoid(FAKE) / 4, rtol=1e-6)
    np.testing.assert_allclose(jax.grad(generator_non_saturating)(FAKE), (sigmoid(FAKE) - 1) / 4, rtol=1e-6)


def test_undecided_discriminator_scores_log_4():
    zeros = jnp.zeros(5)
    np.testing.assert_allclose(discriminator_cross_entropy(zeros, zeros), np.log(4), rtol=1e-6)
    np.testing.assert_allclose(generator_minimax(zeros), -np.log(2), rtol=1e-6)
    np.testing.assert_allclose(generator_non_saturating(zeros), np.log(2), rtol=1e-6)


def test_real_and_fake_batches_may_differ_in_size():
    expected = np.log1p(np.exp(-REAL)).mean() + np.log1p(np.exp(FAKE[:2])).mean()
    np.testing.assert_allclose(discriminator_cross_entropy(REAL, FAKE[:2]), expected, rtol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_a_finite_scalar_with_a_finite_gradient_everywhere(name):
    loss = LOSSES[name]
    value, gradient = jax.value_and_grad(loss.discriminator, (0, 1))(EXTREME, EXTREME)
    assert value.shape == ()
    assert np.isfinite([value, *gradient[0], *gradient[1]]).all()
    value, gradient = jax.value_and_grad(loss.generator)(EXTREME)
    assert value.shape == ()
    assert np.isfinite([value, *gradient]).all()


def test_extreme_logits_exactly():
    """Where probabilities would round to 0 and 1: softplus(x) is x far to the right and 0 to the left."""
    assert discriminator_cross_entropy(floats([1e4]), floats([-1e4])) == 0.0
    assert discriminator_cross_entropy(floats([-1e4]), floats([1e4])) == 2e4
    assert generator_minimax(floats([1e4])) == -1e4
    assert generator_non_saturating(floats([-1e4])) == 1e4


def test_minimax_saturates_where_the_non_saturating_loss_does_not():
    """The discriminator rejects with certainty: the one gradient is gone, the other full."""
    rejected = floats([-50.0])
    assert abs(jax.grad(generator_minimax)(rejected)[0]) < 1e-20
    np.testing.assert_allclose(jax.grad(generator_non_saturating)(rejected), [-1.0], rtol=1e-6)


def test_both_generators_want_the_same():
    for logit in list(EXTREME):
        assert jax.grad(generator_minimax)(logit) <= 0
        assert jax.grad(generator_non_saturating)(logit) <= 0


def test_optimal_discriminator_leaves_the_jensen_shannon_divergence():
    """Goodfellow et al. 2014, theorem 1: V(D*, G) = -log 4 + 2 JS(p, q), on two finite distributions.

    The batches hold each outcome as often as its distribution says (in tenths).
    """
    p, q = np.array([5, 3, 1, 1]), np.array([1, 2, 3, 4])
    optimal = np.log(p / q)  # the logit of p / (p + q)
    real, fake = np.repeat(optimal, p), np.repeat(optimal, q)
    p, q = p / 10, q / 10
    middle = (p + q) / 2
    divergence = (np.sum(p * np.log(p / middle)) + np.sum(q * np.log(q / middle))) / 2
    value = -discriminator_cross_entropy(floats(real), floats(fake))
    np.testing.assert_allclose(value, -np.log(4) + 2 * divergence, rtol=1e-6)
    for direction in np.eye(4):  # and no other discriminator does better
        for step in (-0.1, 0.1):
            other = floats(optimal + step * direction)
            counts = np.array([5, 3, 1, 1]), np.array([1, 2, 3, 4])
            worse = -discriminator_cross_entropy(*(jnp.repeat(other, n) for n in counts))
            assert worse < value
