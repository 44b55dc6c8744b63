"""Styles and their truncation, of a linear style generator."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.algorithms.gan import GAN
from gan_jax.models import MODELS

KEY = jax.random.key(0)
BATCH = {"image": jnp.zeros((4, 2, 3, 1))}
LAYERS, SIZE = 3, 5


class Styled(nn.Module):
    """w is a dense layer of the latent, and images one of all layers of w."""

    axis_name: str | None = None
    averages: bool = True
    conditional = False

    def setup(self):
        self.first, self.last = nn.Dense(SIZE), nn.Dense(6)
        if self.averages:
            self.variable("styles", "mean", lambda: jnp.arange(float(SIZE)))

    def __call__(self, latent, told, train):
        return self.synthesis(self.mapping(latent, told, train), told, train)

    def mapping(self, latent, told, train):
        return jnp.repeat(self.first(latent)[:, None], LAYERS, axis=1)

    def synthesis(self, styles, told, train):
        return self.last(styles.reshape(-1, LAYERS * SIZE)).reshape(-1, 2, 3, 1)


def gan(generator):
    return GAN(
        generator=generator,
        discriminator=MODELS["mlp_discriminator"](widths=(4,)),
        generator_tx=optax.sgd(0.1),
        discriminator_tx=optax.sgd(0.1),
        ema_decay=optax.constant_schedule(0.0),
        latent_size=2,
    )


@pytest.fixture(scope="module")
def run():
    algorithm = gan(Styled())
    state = algorithm.init(KEY, BATCH)
    return algorithm, state, algorithm.latents(KEY, 4)


def test_what_draw_makes_goes_through_the_styles(run):
    algorithm, state, latent = run
    assert algorithm.has_styles
    styles = algorithm.styles(state, latent, None)
    assert styles.shape == (4, LAYERS, SIZE)
    images = algorithm.draw(state, latent, None)
    np.testing.assert_allclose(algorithm.synthesise(state, styles, None), images, rtol=1e-6)
    np.testing.assert_array_equal(algorithm.mean_style(state), np.arange(5.0))


def test_truncation_1_changes_no_bit_and_0_makes_one_image(run):
    algorithm, state, latent = run
    assert algorithm.truncated(1.0) == algorithm
    np.testing.assert_array_equal(
        algorithm.truncated(1.0, 2).draw(state, latent, None), algorithm.draw(state, latent, None)
    )
    images = algorithm.truncated(0.0).draw(state, latent, None)
    mean = jnp.broadcast_to(algorithm.mean_style(state), (1, LAYERS, SIZE))
    np.testing.assert_allclose(images, jnp.repeat(algorithm.synthesise(state, mean, None), 4, 0), rtol=1e-5)
    sampled = algorithm.truncated(0.0).sample(state, BATCH, KEY)
    np.testing.assert_allclose(sampled, images, rtol=1e-5)


def test_truncation_is_of_the_first_layers(run):
    """By hand: w' = mean + psi (w - mean) there, w elsewhere."""
    algorithm, state, latent = run
    w = np.asarray(algorithm.styles(state, latent, None))
    expected = w.copy()
    expected[:, :2] = np.arange(5.0) + 0.3 * (w[:, :2] - np.arange(5.0))
    found = algorithm.truncated(0.3, 2).draw(state, latent, None)
    np.testing.assert_allclose(found, algorithm.synthesise(state, jnp.asarray(expected), None), rtol=1e-5)


def test_impossible_truncations_are_refused(run):
    algorithm, state, latent = run
    for psi, cutoff, message in (
        (float("nan"), None, "truncation psi=nan"),
        (0.5, 0, "truncation cutoff=0: it must be a positive integer"),
    ):
        with pytest.raises(ValueError, match=message):
            algorithm.truncated(psi, cutoff)
    with pytest.raises(ValueError, match="cutoff=4: this generator has 3 layers of styles"):
        algorithm.truncated(0.5, 4).draw(state, latent, None)
    plain = gan(MODELS["mlp_generator"]((2, 3, 1), widths=(4,)))
    assert not plain.has_styles
    with pytest.raises(ValueError, match=r"truncation=0.5: MLPGenerator has no mean style .* only style gen"):
        plain.truncated(0.5)
    forgetful = gan(Styled(averages=False))
    state = forgetful.init(KEY, BATCH)
    with pytest.raises(ValueError, match="keeps no moving average of its styles"):
        forgetful.truncated(0.5).draw(state, latent, None)
