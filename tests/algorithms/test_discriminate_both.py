"""Reals and fakes before the discriminator: as one batch where no example matters to another, else as two."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.algorithms import gan
from gan_jax.algorithms.packing import deinterleave, interleave
from tests.variants import BATCH, VARIANTS, steps_of


def changed(name, **changes):
    """A variant with another discriminator, and its first state."""
    algorithm = VARIANTS[name]()
    algorithm = dataclasses.replace(algorithm, discriminator=algorithm.discriminator.clone(**changes))
    return algorithm, jax.jit(algorithm.init)(jax.random.key(0), batch_of(algorithm))


def batch_of(algorithm):
    return jax.tree.map(lambda x: x[0, 0], steps_of(algorithm))


def loss_and_gradient(algorithm, state):
    loss = jax.value_and_grad(algorithm.discriminator_loss, has_aux=True)
    arguments = state.discriminator.params, state, batch_of(algorithm), jax.random.key(3)
    (value, out), gradient = jax.jit(loss)(*arguments)
    return value, out.metrics, gradient


def seen(algorithm, state, monkeypatch):
    """The numbers of examples that the discriminator's loss judges at a time."""
    counts = []
    discriminate = gan.GAN.discriminate

    def spy(self, params, stats, view, *rest):
        counts.append(view.shape[0])
        return discriminate(self, params, stats, view, *rest)

    monkeypatch.setattr(gan.GAN, "discriminate", spy)
    arguments = state.discriminator.params, state, batch_of(algorithm), jax.random.key(3)
    jax.eval_shape(algorithm.discriminator_loss, *arguments)
    return counts


def test_rows_alternate_and_come_apart_again():
    a, b = jnp.arange(6).reshape(3, 2), 10 + jnp.arange(6).reshape(3, 2)
    both = interleave(a, b)
    np.testing.assert_array_equal(both, [[0, 1], [10, 11], [2, 3], [12, 13], [4, 5], [14, 15]])
    for found, expected in zip(deinterleave(both), (a, b), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["wgan", "acgan", "infogan", "dcgan_labels", "noise"])
def test_as_one_batch_or_as_two_the_numbers_are_the_same(name, monkeypatch):
    """Labels and auxiliary outputs stay with their rows. Without dropout, whose masks are other ones."""
    algorithm, state = changed(name, dropout=0.0, norm="none", minibatch="none", spectral_norm=False)
    assert seen(algorithm, state, monkeypatch)[0] == 2 * BATCH
    joined = loss_and_gradient(algorithm, state)
    monkeypatch.setattr(gan, "network_obstacles", lambda **_: ["for a test"])
    two = loss_and_gradient(algorithm, state)
    for a, b in zip(jax.tree.leaves(joined), jax.tree.leaves(two), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * max(1.0, float(np.abs(b).max())))


@pytest.mark.parametrize(
    "changes", [{"norm": "batch"}, {"minibatch": "discrimination"}, {"spectral_norm": True}]
)
def test_where_examples_matter_to_each_other_they_are_two(changes, monkeypatch):
    """And where each call moves what the network remembers: spectral norms, as in SNGAN's own code."""
    algorithm, state = changed("dcgan", **{"norm": "none"} | changes)
    assert seen(algorithm, state, monkeypatch) == [BATCH, BATCH]


def test_dropout_masks_of_a_real_and_its_fake_differ():
    algorithm, state = changed("dcgan", norm="none")
    assert algorithm.discriminator.dropout > 0
    image = batch_of(algorithm)["image"]
    keys = jax.random.key(0), jax.random.key(1)
    (real, _), (fake, _) = algorithm.discriminate_both(
        state.discriminator.params, {}, (image, image), (None, None), keys
    )[0]
    assert not np.any(np.isclose(real, fake))
