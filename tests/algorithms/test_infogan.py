"""InfoGAN's codes and losses against NumPy, and whether the codes can be read off the images."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.algorithms.infogan import InfoGAN
from gan_jax.models import MODELS
from tests.algorithms.test_acgan import cross_entropy

SHAPE, NOISE, CATEGORIES, CONTINUOUS = (4, 3, 1), 3, 4, 2
KEY = jax.random.key(2)
BATCH = {"image": np.random.default_rng(0).uniform(-1, 1, (8, *SHAPE)).astype(np.float32)}


def make(discriminator=None, **fields):
    defaults = dict(
        generator_tx=optax.sgd(0.1),
        discriminator_tx=optax.sgd(0.1),
        generator=MODELS["mlp_generator"](SHAPE, widths=(16,)),
        categories=CATEGORIES,
        continuous=CONTINUOUS,
    )
    fields = defaults | fields
    outputs = max(fields["categories"], 0) + max(fields["continuous"], 0)
    return InfoGAN(
        discriminator=MODELS["mlp_discriminator"](
            **(dict(widths=(16,), auxiliary=outputs, num_classes=3) | (discriminator or {}))
        ),
        ema_decay=optax.constant_schedule(0.0),
        latent_size=NOISE,
        **fields,
    )


@pytest.fixture(scope="module")
def state():
    return make().init(KEY, BATCH)


def parts(latent):
    return np.split(np.asarray(latent), [NOISE, NOISE + CATEGORIES], axis=1)


def test_latents_are_noise_one_hot_categories_and_uniform_codes():
    algorithm = make()
    latent = jax.jit(algorithm.latents, static_argnums=1)(KEY, 4000)
    assert latent.shape == (4000, algorithm.input_size) == (4000, NOISE + CATEGORIES + CONTINUOUS)
    noise, one_hot, codes = parts(latent)
    assert abs(noise.mean()) < 0.05
    assert abs(noise.std() - 1) < 0.05
    np.testing.assert_array_equal(np.sort(one_hot, axis=1), [[0, 0, 0, 1]] * 4000)
    assert np.abs(one_hot.mean(0) - 1 / CATEGORIES).max() < 5 * np.sqrt(3 / 16 / 4000)
    assert codes.min() >= -1
    assert codes.max() < 1
    assert abs(codes.std() - 3**-0.5) < 0.02
    together = np.corrcoef(np.concatenate([noise, one_hot[:, :-1], codes], axis=1).T)
    off = together - np.eye(len(together))
    off[NOISE : NOISE + CATEGORIES - 1, NOISE : NOISE + CATEGORIES - 1] = 0  # a one-hot's are not independent
    assert np.abs(off).max() < 0.1


@pytest.mark.parametrize("weights", [(1.0, 0.1), (0.3, 2.0)])
def test_loss_is_the_lower_bound_read_from_the_fakes(weights):
    """Cross-entropy of the category, and half the squared error of the codes: a normal of variance 1."""
    algorithm = make(categorical_weight=weights[0], continuous_weight=weights[1])
    numbers = np.random.default_rng(1)
    said = numbers.normal(size=(8, CATEGORIES + CONTINUOUS)).astype(np.float32)
    latent = algorithm.latents(KEY, 8)
    _, one_hot, codes = parts(latent)
    category = one_hot.argmax(1)
    error = (0.5 * ((codes - said[:, CATEGORIES:]) ** 2).sum(1)).mean()
    expected = weights[0] * cross_entropy(said[:, :CATEGORIES], category) + weights[1] * error
    loss, metrics = algorithm.auxiliary_loss(numbers.normal(size=said.shape), said, latent, BATCH)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(metrics["code_error"], error, rtol=1e-5)
    np.testing.assert_allclose(metrics["code_read"], np.mean(said[:, :CATEGORIES].argmax(1) == category))
    loss, metrics = algorithm.auxiliary_loss(None, said, latent, BATCH)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert metrics == {}


@pytest.mark.parametrize("role", ["discriminator", "generator"])
def test_the_bound_reaches_both_players(state, role):
    key, params = jax.random.key(5), getattr(state, role).params
    grads = {}
    for weight in (0.0, 1.0):
        loss = getattr(make(categorical_weight=weight, continuous_weight=weight), f"{role}_loss")
        grads[weight] = jax.jit(jax.grad(lambda p, f=loss: f(p, state, BATCH, key)[0]))(params)
    moved = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), grads[1.0], grads[0.0])
    assert moved["dense_0"]["kernel"] > 1e-3
    if role == "discriminator":
        assert moved["auxiliary"]["kernel"] > 1e-3
        assert moved["output"]["kernel"] < 1e-6


def test_samples_take_the_label_as_the_category(state):
    algorithm = make()
    label = jnp.array([3, 0, 0, 2])
    batch = {"image": jnp.zeros((4, *SHAPE)), "label": label}
    images = algorithm.sample(state, batch, KEY)
    noise = super(InfoGAN, algorithm).latents(KEY, 4)
    codes = algorithm.codes(jax.random.fold_in(KEY, 2), 4)
    latent = np.concatenate([noise, np.eye(CATEGORIES)[label], codes], axis=1).astype(np.float32)
    np.testing.assert_allclose(images, algorithm.draw(state, latent, None), rtol=1e-6)
    other = algorithm.sample(state, batch | {"label": jnp.array([3, 0, 1, 2])}, KEY)
    same = np.abs(images - other).max((1, 2, 3)) < 1e-6
    assert same.tolist() == [True, True, False, True]
    assert algorithm.num_classes == CATEGORIES


def test_codes_can_be_read_off_the_images_after_some_training():
    """Reals are grey of any tone; the codes of new fakes are read by the discriminator."""
    algorithm = make(
        generator_tx=optax.adam(0.01, b1=0.5),
        discriminator_tx=optax.adam(0.01, b1=0.5),
        continuous_weight=1.0,
    )

    def one(state, _):
        tone_key, noise_key = jax.random.split(jax.random.fold_in(jax.random.key(4), state.step))
        tone = jax.random.uniform(tone_key, (1, 32, 1, 1, 1), minval=-0.7, maxval=0.7)
        return algorithm.step(state, {"image": tone + 0.1 * jax.random.normal(noise_key, (1, 32, *SHAPE))})

    state = algorithm.init(KEY, BATCH)
    state, metrics = jax.jit(lambda s: jax.lax.scan(one, s, length=300))(state)
    assert np.mean(metrics["code_read"][:10]) < 0.6
    assert np.mean(metrics["code_read"][-20:]) > 0.95
    # Without looking the best guess is 0, and its error half the codes' variance: 2 / 6.
    assert np.mean(metrics["code_error"][-20:]) < 0.2
    label = jnp.arange(200) % CATEGORIES
    images = algorithm.sample(state, {"image": jnp.zeros((200, *SHAPE)), "label": label}, jax.random.key(8))
    d = state.discriminator
    said = algorithm.discriminate(d.params, d.stats, images, None, KEY)[1]
    assert np.mean(said[:, :CATEGORIES].argmax(1) == label) > 0.95


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(categories=0), "categories=0: it must be a positive integer"),
        (dict(continuous=-1), "continuous=-1: it must be a positive integer"),
        (dict(categorical_weight=-1.0), "categorical_weight=-1.0"),
        (dict(continuous_weight=-1.0), "continuous_weight=-1.0"),
        (dict(discriminator=dict(auxiliary=5)), "auxiliary=5: it must be 6, because categories=4 and contin"),
        (dict(discriminator=dict(condition="one_hot")), "set discriminator.condition=none"),
        (dict(packing=2), "packing=2: infogan must read each fake's own codes"),
        (dict(pool_size=8), "pool_size=8: infogan must read"),
    ],
)
def test_impossible_options_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        make(**fields)


def test_no_continuous_codes_are_fine():
    algorithm = make(continuous=0, categories=2)
    state = algorithm.init(KEY, BATCH)
    _, metrics = jax.jit(algorithm.step)(state, jax.tree.map(lambda x: x[None], BATCH))
    assert float(metrics["code_error"]) == 0.0
    assert np.isfinite(float(metrics["generator_loss"]))


def test_the_defaults_are_the_authors_weights():
    """openai/InfoGAN, launchers/run_mnist_exp.py: info_reg_coeff=1.0 for all codes."""
    algorithm = make()
    assert (algorithm.categorical_weight, algorithm.continuous_weight) == (1.0, 1.0)
