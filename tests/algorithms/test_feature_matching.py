"""Feature matching against NumPy."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.algorithms.feature_matching import FeatureMatching
from gan_jax.algorithms.gan import GAN
from gan_jax.losses.generator_penalties import GeneratorPenalty
from gan_jax.models import MODELS
from tests.algorithms.linear import softplus

SHAPE = (4, 3, 1)
KEY = jax.random.key(2)
REAL = {"image": np.random.default_rng(0).uniform(-1, 1, (1, 8, *SHAPE)).astype(np.float32)}
ONE = jax.tree.map(lambda x: x[0], REAL)


def make(kind=FeatureMatching, **fields):
    return kind(
        generator=MODELS["mlp_generator"](SHAPE, widths=(5,)),
        discriminator=MODELS["mlp_discriminator"](widths=(6, 4)),
        generator_tx=optax.sgd(0.1),
        discriminator_tx=optax.sgd(0.1),
        ema_decay=optax.constant_schedule(0.0),
        latent_size=3,
        **fields,
    )


@pytest.fixture(scope="module")
def state():
    return make().init(KEY, ONE)


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def said(params, image):
    """What the layers of the discriminator say, in float64; dense_i is before the activation."""
    p = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
    x, out = np.asarray(image, np.float64).reshape(len(image), -1), {}
    for index in range(2):
        layer = p[f"dense_{index}"]
        out[f"dense_{index}"] = x @ layer["kernel"] + layer["bias"]
        out[f"dropout_{index}"] = x = leaky(out[f"dense_{index}"])
    return out, (x @ p["output"]["kernel"] + p["output"]["bias"])[:, 0]


def fakes(algorithm, state, key):
    latent_key, _, generator_key = jax.random.split(key, 3)
    return algorithm.fakes(state, algorithm.latents(latent_key, 8), None, generator_key)


@pytest.mark.parametrize("layers", [("dropout_1",), ("dense_0", "dropout_1")])
@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_loss_is_the_distance_of_the_means(state, layers, weight):
    algorithm = make(layers=layers, adversarial_weight=weight)
    key = jax.random.key(9)
    loss, out = jax.jit(algorithm.generator_loss)(state.generator.params, state, ONE, key)
    real, _ = said(state.discriminator.params, ONE["image"])
    fake, logits = said(state.discriminator.params, fakes(algorithm, state, key))
    distance = sum(np.mean((real[name].mean(0) - fake[name].mean(0)) ** 2) for name in layers)
    assert distance > 1e-3
    np.testing.assert_allclose(out.metrics["feature_distance"], distance, rtol=1e-5)
    np.testing.assert_allclose(loss, distance + weight * softplus(-logits).mean(), rtol=1e-5)


def test_generator_follows_the_gradient_of_that_distance(state):
    """Written anew as one function of the images; the discriminator does not move with it."""
    algorithm, key = make(layers=("dropout_0",)), jax.random.key(9)
    layer = state.discriminator.params["dense_0"]

    def mean(image):
        x = image.reshape(8, -1) @ layer["kernel"] + layer["bias"]
        return jnp.where(x > 0, x, 0.2 * x).mean(0)

    def distance(params):
        moved = state.replace(generator=state.generator.replace(params=params))
        return jnp.mean((mean(fakes(algorithm, moved, key)) - mean(ONE["image"])) ** 2)

    expected = jax.jit(jax.grad(distance))(state.generator.params)
    loss = lambda params: algorithm.generator_loss(params, state, ONE, key)[0]
    found = jax.jit(jax.grad(loss))(state.generator.params)
    assert float(optax.tree.norm(expected)) > 1e-3
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7), found, expected)


def test_discriminator_trains_as_in_the_gan(state):
    """The first step's, which comes before the generator's; afterwards the generators differ."""
    after, metrics = jax.jit(make().step)(state, REAL)
    plain, same = jax.jit(make(GAN).step)(state, REAL)
    jax.tree.map(np.testing.assert_array_equal, after.discriminator, plain.discriminator)
    np.testing.assert_array_equal(metrics["discriminator_loss"], same["discriminator_loss"])
    kernels = [s.generator.params["output"]["kernel"] for s in (after, plain)]
    assert np.abs(kernels[0] - kernels[1]).max() > 1e-4


def test_matching_means_bring_the_fakes_mean_to_the_reals(state):
    """With the discriminator held still the distance falls to a tenth."""
    algorithm = dataclasses.replace(
        make(layers=("dropout_0", "dropout_1")),
        generator_tx=optax.adam(0.02),
        discriminator_tx=optax.sgd(0.0),
    )
    now, step, distances = algorithm.init(KEY, ONE), jax.jit(algorithm.step), []
    for _ in range(150):
        now, metrics = step(now, REAL)
        distances.append(float(metrics["feature_distance"]))
    assert np.mean(distances[-10:]) < 0.1 * np.mean(distances[:3])


class Brightness(GeneratorPenalty):
    """The mean square of the fakes; counts its calls."""

    name = "brightness"

    def init(self):
        return {"calls": jnp.zeros(())}

    def __call__(self, inputs, memory, step):
        fake = inputs.apply("__call__", inputs.latent, inputs.conditioning)
        return jnp.mean(fake**2), {"calls": memory["calls"] + 1.0}


def test_penalties_on_the_generator_are_paid_beside_the_distance():
    algorithm, key = make(generator_penalties=(Brightness(weight=3.0),)), jax.random.key(9)
    state = algorithm.init(KEY, ONE)
    params = state.generator.params
    plain, _ = jax.jit(make().generator_loss)(params, state, ONE, key)
    loss, out = jax.jit(algorithm.generator_loss)(params, state, ONE, key)
    brightness = np.mean(np.asarray(fakes(algorithm, state, key), np.float64) ** 2)
    np.testing.assert_allclose(out.metrics["brightness"], brightness, rtol=1e-5)
    np.testing.assert_allclose(loss, plain + 3.0 * brightness, rtol=1e-5)
    assert float(jax.jit(algorithm.step)(state, REAL)[0].extra["brightness"]["calls"]) == 1.0


def test_unknown_layers_are_named_with_the_choices(state):
    algorithm = make(layers=("dense_0", "conv_7"))
    with pytest.raises(ValueError, match=r"has no conv_7; it has .*dense_0.*dropout_1"):
        jax.eval_shape(algorithm.step, state, REAL)


@pytest.mark.parametrize("layers", [(), "dropout_1", ["dropout_1"]])
def test_layers_must_be_a_tuple(layers):
    with pytest.raises(ValueError, match="it must be a tuple of names of layers"):
        make(layers=layers)


def test_negative_weights_are_refused():
    with pytest.raises(ValueError, match=r"adversarial_weight=-1.0"):
        make(adversarial_weight=-1.0)
