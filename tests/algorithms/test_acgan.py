"""AC-GAN's losses against NumPy, and whether the generator learns the classes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.algorithms.acgan import ACGAN
from gan_jax.models import MODELS

SHAPE, CLASSES = (4, 3, 1), 3
KEY = jax.random.key(2)
LABEL = np.array([0, 2, 1, 1, 0, 2, 2, 1], np.int32)
REAL = np.random.default_rng(0).uniform(-1, 1, (8, *SHAPE)).astype(np.float32)
BATCH = {"image": REAL, "label": LABEL}


def make(generator=None, discriminator=None, **fields):
    shared = dict(num_classes=CLASSES)
    fields = dict(generator_tx=optax.sgd(0.1), discriminator_tx=optax.sgd(0.1)) | fields
    return ACGAN(
        generator=MODELS["mlp_generator"](
            SHAPE, **(dict(widths=(8,), condition="one_hot") | shared | (generator or {}))
        ),
        discriminator=MODELS["mlp_discriminator"](
            **(dict(widths=(8,), auxiliary=CLASSES) | shared | (discriminator or {}))
        ),
        ema_decay=optax.constant_schedule(0.0),
        latent_size=3,
        **fields,
    )


@pytest.fixture(scope="module")
def state():
    return make().init(KEY, BATCH)


def cross_entropy(logits, label):
    """-E log softmax(logits)[label], in float64."""
    x = np.asarray(logits, np.float64)
    log_total = np.log(np.exp(x - x.max(1, keepdims=True)).sum(1)) + x.max(1)
    return (log_total - x[np.arange(len(x)), label]).mean()


@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_both_players_pay_the_cross_entropy_of_the_class(weight):
    algorithm, numbers = make(class_weight=weight), np.random.default_rng(1)
    real, fake = (numbers.normal(size=(8, CLASSES)).astype(np.float32) * 3 for _ in range(2))
    loss, metrics = algorithm.auxiliary_loss(real, fake, jnp.zeros((8, 3)), BATCH)
    expected = cross_entropy(real, LABEL) + cross_entropy(fake, LABEL)
    np.testing.assert_allclose(loss, weight * expected, rtol=1e-5)
    np.testing.assert_allclose(metrics["class_real"], np.mean(real.argmax(1) == LABEL))
    np.testing.assert_allclose(metrics["class_fake"], np.mean(fake.argmax(1) == LABEL))
    loss, metrics = algorithm.auxiliary_loss(None, fake, jnp.zeros((8, 3)), BATCH)
    np.testing.assert_allclose(loss, weight * cross_entropy(fake, LABEL), rtol=1e-5)
    assert metrics == {}


@pytest.mark.parametrize("role", ["discriminator", "generator"])
def test_it_is_added_to_the_adversarial_loss_and_reaches_both_players(state, role):
    """The difference to class_weight=0 is the cross-entropy of what the discriminator says."""
    key, params = jax.random.key(5), getattr(state, role).params
    found = {}
    for weight in (0.0, 2.0):
        loss = getattr(make(class_weight=weight), f"{role}_loss")
        found[weight] = jax.jit(jax.value_and_grad(lambda p, f=loss: f(p, state, BATCH, key)[0]))(params)
    algorithm = make()
    keys = jax.random.split(key, 3 if role == "generator" else 4)
    fake = algorithm.fakes(state, algorithm.latents(keys[0], 8), jnp.asarray(LABEL), keys[-1])
    d = state.discriminator
    said = [algorithm.discriminate(d.params, d.stats, image, None, key)[1] for image in (REAL, fake)]
    entropies = [cross_entropy(logits, LABEL) for logits in said]
    expected = entropies[1] if role == "generator" else sum(entropies)
    np.testing.assert_allclose(found[2.0][0] - found[0.0][0], 2 * expected, rtol=1e-4)
    moved = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), found[2.0][1], found[0.0][1])
    first = moved["dense_0"]["kernel"]
    assert first > 1e-3
    if role == "discriminator":
        assert moved["auxiliary"]["kernel"] > 1e-3
        np.testing.assert_array_equal(found[0.0][1]["auxiliary"]["kernel"], 0.0)
        assert moved["output"]["kernel"] < 1e-6  # the logit's own weights have no part in it


def test_the_class_is_paid_for_without_an_adversarial_loss_too(state):
    """Its weight is one beside that of the adversarial loss, 0 or not."""
    key, params = jax.random.key(5), state.generator.params
    loss = lambda algorithm: jax.jit(algorithm.generator_loss)(params, state, BATCH, key)[0]
    found, little = (loss(make(adversarial_weight=weight)) for weight in (0.0, 1e-12))
    assert float(found) > 0.1
    np.testing.assert_allclose(found, little, rtol=1e-6)


def test_the_generator_learns_the_classes():
    """Reals of class k are grey of one tone each; after 300 steps so are the fakes."""
    algorithm = make(generator_tx=optax.adam(0.01, b1=0.5), discriminator_tx=optax.adam(0.01, b1=0.5))
    tones = jnp.array([-0.7, 0.0, 0.7])

    def one(state, _):
        label_key, noise_key = jax.random.split(jax.random.fold_in(jax.random.key(4), state.step))
        label = jax.random.randint(label_key, (1, 32), 0, CLASSES)
        image = tones[label][..., None, None, None] + 0.1 * jax.random.normal(noise_key, (1, 32, *SHAPE))
        return algorithm.step(state, {"image": image, "label": label})

    state = algorithm.init(KEY, BATCH)
    state, metrics = jax.jit(lambda s: jax.lax.scan(one, s, length=300))(state)
    assert np.mean(metrics["class_real"][-20:]) > 0.95
    assert np.mean(metrics["class_fake"][-20:]) > 0.95
    label = jnp.repeat(jnp.arange(CLASSES), 50)
    images = algorithm.sample(state, {"image": jnp.zeros((150, *SHAPE)), "label": label}, jax.random.key(8))
    found = images.reshape(CLASSES, -1).mean(1)
    assert np.all(np.diff(found) > 0.3)
    assert algorithm.num_classes == CLASSES


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            dict(generator=dict(condition="none")),
            "acgan tells the generator the class: give data with labels",
        ),
        (dict(discriminator=dict(condition="one_hot")), "acgan's discriminator must find out the class"),
        (dict(discriminator=dict(auxiliary=4)), "discriminator.auxiliary=4: it must be 3, because there are"),
        (dict(packing=2), "packing=2 mixes classes"),
        (dict(pool_size=8), "pool_size=8: the pool keeps no classes"),
        (dict(class_weight=-1.0), r"class_weight=-1.0"),
    ],
)
def test_impossible_options_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        make(**fields)


def test_a_discriminator_without_auxiliary_outputs_gets_one_for_each_class():
    assert make(discriminator=dict(auxiliary=0)).discriminator.auxiliary == CLASSES
