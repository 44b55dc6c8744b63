"""The bound of a variational autoencoder where the likelihood is known, and what it does not take."""

import dataclasses
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.algorithms.vae import VAE, normal_divergence
from gan_jax.data.codecs import Pixels, Points, Tiles
from gan_jax.data.spec import Field
from gan_jax.losses.likelihoods import DiscretisedLogistic
from gan_jax.models import MODELS
from gan_jax.models.autoencoder import ConvAutoencoder, MLPAutoencoder

D, LATENTS, SCALE, COUNT = 3, 2, 0.4, 20_000
KEY = jax.random.key(0)
WEIGHTS = np.array([[1.0, 0.5, -0.3], [0.5, -1.0, 0.0]])  # orthogonal, so that the posterior is diagonal
SHIFT = np.array([0.3, -0.2, 0.1])


class Linear(nn.Module):
    """x = z WEIGHTS + SHIFT + SCALE * noise, with the true posterior or another one."""

    wrong: float = 0.0

    def __call__(self, image, told, train):
        return self.decode(self.encode(image, told, train)[0], told, train)

    @nn.compact
    def encode(self, image, told, train):
        self.param("unused", nn.initializers.zeros, ())
        precision = 1 + np.sum(WEIGHTS**2, axis=1) / SCALE**2
        mean = (image.reshape(-1, D) - SHIFT) @ WEIGHTS.T / SCALE**2 / precision
        return mean + self.wrong, jnp.broadcast_to(-np.log(precision), mean.shape) + self.wrong

    def decode(self, latent, told, train):
        return (latent @ WEIGHTS + SHIFT).reshape(-1, 1, 1, D), jnp.full(D, math.log(SCALE))


def vae(generator, **changes):
    given = dict(
        generator=generator,
        generator_tx=optax.sgd(0.1),
        ema_decay=lambda step: 0.0,
        latent_size=LATENTS,
        image_codec=Points(),
    )
    return VAE(**{**given, **changes})


def test_the_bound_is_below_the_exact_likelihood_of_a_linear_gaussian_model():
    """Equal to it with the true posterior, and lower by KL(q || posterior) with another one."""
    covariance = WEIGHTS.T @ WEIGHTS + SCALE**2 * np.eye(D)
    x = np.random.default_rng(0).multivariate_normal(SHIFT, covariance, COUNT)
    distance = np.einsum("ni,ij,nj->n", x - SHIFT, np.linalg.inv(covariance), x - SHIFT)
    log_prob = -0.5 * (distance + np.linalg.slogdet(2 * np.pi * covariance)[1])
    exact = -log_prob.mean() / (D * math.log(2))
    batch = {"image": jnp.asarray(x, jnp.float32).reshape(-1, 1, 1, D)}
    found = []
    for wrong in (0.0, 0.3):
        algorithm = vae(Linear(wrong))
        state = algorithm.init(KEY, batch)
        bits = algorithm.bits(state, batch, KEY)
        assert bits.shape == (COUNT,)
        loss, _ = algorithm.bound(state.generator.params, state, batch, KEY)
        assert float(jnp.mean(bits)) == pytest.approx(float(loss))
        found.append(float(jnp.mean(bits)))
    assert found[0] == pytest.approx(exact, abs=0.02)
    precision = 1 + np.sum(WEIGHTS**2, axis=1) / SCALE**2
    gap = 0.5 * np.sum(0.3**2 * precision + math.exp(0.3) - 0.3 - 1) / (D * math.log(2))
    assert found[1] - found[0] == pytest.approx(gap, rel=0.1)


def test_the_divergence_from_the_prior_is_that_of_its_integral():
    mean, log_variance = 0.7, -0.8
    z = np.linspace(-8, 8, 20_001)
    log_q = -0.5 * ((z - mean) ** 2 / math.exp(log_variance) + log_variance + math.log(2 * math.pi))
    log_p = -0.5 * (z**2 + math.log(2 * math.pi))
    integral = np.sum(np.exp(log_q) * (log_q - log_p)) * (z[1] - z[0])
    found = normal_divergence(jnp.full((1, 1), mean), jnp.full((1, 1), log_variance))
    assert float(found[0]) == pytest.approx(integral, rel=1e-4)


def test_beta_weighs_the_divergence_in_the_loss_alone():
    batch = {"image": jnp.ones((4, 1, 1, D))}
    values = {}
    for beta in (0.0, 1.0, 2.0):
        algorithm = vae(Linear(0.1), beta=beta)
        state = algorithm.init(KEY, batch)
        loss, out = algorithm.bound(state.generator.params, state, batch, KEY)
        values[beta] = float(loss), {name: float(value) for name, value in out.metrics.items()}
    kl = values[1.0][1]["kl"] / (D * math.log(2))
    assert values[2.0][0] - values[1.0][0] == pytest.approx(kl, rel=1e-4)
    assert values[1.0][0] - values[0.0][0] == pytest.approx(kl, rel=1e-4)
    assert values[0.0][1] == values[2.0][1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generator": MODELS["mlp_generator"]((2, 2, 1))}, "has no methods encode and decode: VAE takes"),
        ({"latent": "uniform"}, "latent='uniform': the latents of VAE are 'normal'"),
        ({"beta": -1.0}, "beta=-1.0"),
    ],
)
def test_what_it_is_not_made_for_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        vae(**{"generator": Linear(), **changes})


def test_levels_are_of_pixels():
    tiles = Tiles(np.zeros((3, 1), np.uint8))
    for codec in (Points(), tiles):
        algorithm = vae(Linear(), likelihood=DiscretisedLogistic(), image_codec=codec)
        with pytest.raises(
            ValueError, match="likelihood=discretised_logistic is of the 256 levels of pixels"
        ):
            algorithm.check_fields({"image": Field((1, 1, D), codec)})


@pytest.mark.parametrize("shape", [(7, 10, 3), (28, 28, 1), (5, 5, 2)])
def test_convolutions_take_images_of_any_size(shape):
    network = ConvAutoencoder(shape, code_size=4, widths=(4, 6), hidden=8)
    image = jnp.zeros((2, *shape))
    variables = jax.eval_shape(lambda: network.init(KEY, image, None, False))
    mean, log_scale = jax.eval_shape(lambda v: network.apply(v, image, None, False), variables)
    assert mean.shape == (2, *shape)
    assert log_scale.shape == shape[-1:]


def test_the_label_reaches_both_networks():
    network = MLPAutoencoder((2, 2, 1), code_size=3, widths=(8,), condition="one_hot", num_classes=4)
    image, latent = jnp.ones((2, 2, 2, 1)), jnp.ones((2, 3))
    label = jnp.array([0, 3])
    variables = network.init(KEY, image, label, False)
    for method, x in (("encode", image), ("decode", latent)):
        first = network.apply(variables, x, label, False, method=method)[0]
        assert np.abs(first[0] - first[1]).max() > 1e-3
    with pytest.raises(ValueError, match="needs a label"):
        network.apply(variables, image, None, False)


def test_points_are_drawn_with_the_noise_of_the_likelihood_and_images_without():
    batch = {"image": jnp.zeros((COUNT, 1, 1, D))}
    algorithm = vae(Linear())
    state = algorithm.init(KEY, batch)
    drawn = np.asarray(algorithm.sample(state, batch, KEY)).reshape(-1, D)
    expected = WEIGHTS.T @ WEIGHTS + SCALE**2 * np.eye(D)
    assert np.abs(np.cov(drawn.T) - expected).max() < 0.15
    images = dataclasses.replace(algorithm, image_codec=Pixels())
    means = np.asarray(images.sample(state, batch, KEY))
    assert np.abs(means).max() <= 1
    latents = np.asarray(images.latents(KEY, COUNT))
    np.testing.assert_allclose(
        means.reshape(-1, D), np.clip(latents @ WEIGHTS + SHIFT, -1, 1), rtol=1e-4, atol=1e-5
    )
