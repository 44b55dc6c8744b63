"""The mapping network in NumPy, the mean style, and style mixing, of the smallest style generator."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.core.accumulation import network_obstacles
from gan_jax.models.mapping import MEAN_DECAY, Mapping, StyleGenerator

KEY = jax.random.key(0)
LAYERS, SIZE, COUNT = 4, 3, 6
LATENT = jax.random.normal(jax.random.key(1), (COUNT, 5))
LABEL = jnp.arange(COUNT) % 2


class Sums(nn.Module):
    """Each style's sum over D, as an image of one row."""

    @nn.compact
    def __call__(self, styles, told, train):
        return styles.sum(-1)[:, None, :, None]


class Toy(StyleGenerator):
    style_layers = LAYERS

    def make_synthesis(self):
        return Sums()


def toy(**fields):
    fields = dict(style_size=SIZE, mapping_layers=2, embedding_size=4) | fields
    network = Toy((1, LAYERS, 1), **fields)
    label = LABEL if network.conditional else None
    return network, network.init(KEY, LATENT, label, train=False), label


def in_training(network, variables, label=None, key=KEY, latent=LATENT):
    """Styles, and the mean style afterwards."""
    apply = jax.jit(functools.partial(network.apply, train=True, method="mapping", mutable=["styles"]))
    styles, changed = apply(variables, latent, label, rngs={"noise": key})
    return np.asarray(styles), np.asarray(changed["styles"]["mean"])


def normalised(x):
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-8)


def mapping_by_hand(params, latent, label=None, rate=0.01):
    """Kernels N(0, 1) / rate times rate / sqrt(fan in), biases times rate, leaky ReLU 0.2 times sqrt 2."""
    x = normalised(np.float64(latent))
    if label is not None:
        table = params["embedding"]
        kernel = table["kernel"] / np.sqrt(len(table["kernel"]))
        x = np.concatenate([x, normalised(np.float64(kernel[label] + table["bias"]))], axis=-1)
    for index in range(2):
        layer = params[f"layer_{index}"]
        x = x @ (np.float64(layer["kernel"]) * rate / np.sqrt(x.shape[-1])) + rate * layer["bias"]
        x = np.where(x > 0, x, 0.2 * x) * np.sqrt(2)
    return x


@pytest.mark.parametrize("condition", ["none", "embedding"])
def test_the_mapping_network_by_hand(condition):
    network, variables, label = toy(condition=condition, num_classes=2)
    params = jax.tree.map(lambda x: x + 0.5, variables["params"])["mapping_network"]
    found = Mapping(SIZE, 2, 0.01, 2 if network.conditional else None, 4).apply(
        {"params": params}, LATENT, label
    )
    np.testing.assert_allclose(np.asarray(found), mapping_by_hand(params, LATENT, label), rtol=2e-5)
    assert params["layer_0"]["kernel"].shape == (5 + 4 * (label is not None), SIZE)


def test_labels_alone_are_mapped_too():
    network = Mapping(SIZE, 1, 0.01, 2, 4)
    variables = network.init(KEY, None, LABEL)
    found = np.asarray(network.apply(variables, None, LABEL))
    assert found.shape == (COUNT, SIZE)
    np.testing.assert_array_equal(found[0], found[2])
    assert np.abs(found[0] - found[1]).max() > 0.01


def test_kernels_start_with_the_variance_that_the_rate_asks_for():
    network = Mapping(64, 2)
    kernel = network.init(KEY, jnp.zeros((1, 64)), None)["params"]["layer_1"]["kernel"]
    np.testing.assert_allclose(jnp.std(kernel), 100.0, rtol=0.05)


def test_the_mean_style_moves_in_training_only():
    network, variables, _ = toy(style_mixing=0.0)
    w = mapping_by_hand(variables["params"]["mapping_network"], LATENT)
    styles, mean = in_training(network, variables)
    np.testing.assert_allclose(styles, np.repeat(w[:, None], LAYERS, 1), rtol=1e-5)
    np.testing.assert_allclose(mean, (1 - MEAN_DECAY) * w.mean(0), rtol=1e-4)
    moved = {**variables, "styles": {"mean": jnp.ones(SIZE)}}
    _, mean = in_training(network, moved)
    np.testing.assert_allclose(mean, MEAN_DECAY + (1 - MEAN_DECAY) * w.mean(0), rtol=1e-5)
    _, changed = network.apply(variables, LATENT, None, False, mutable=["styles"])
    np.testing.assert_array_equal(changed["styles"]["mean"], np.zeros(SIZE))
    np.testing.assert_array_equal(variables["styles"]["mean"], np.zeros(SIZE))


def test_mixing_never_and_always():
    """Always: a cut in 1 .. layers - 1 for each example, and one other style from there on."""
    network, variables, _ = toy(style_mixing=1.0)
    w = mapping_by_hand(variables["params"]["mapping_network"], LATENT)
    many = jnp.tile(LATENT, (50, 1))
    styles, _ = in_training(network, variables, latent=many)
    own = np.isclose(styles, np.tile(w, (50, 1))[:, None], rtol=1e-4).all(-1)
    cuts = own.sum(1)
    assert set(cuts) == {1, 2, 3}
    assert (own == (np.arange(LAYERS) < cuts[:, None])).all()
    assert (styles[:, 3] == np.where((cuts < 3)[:, None], styles[:, 2], styles[:, 3])).all()
    assert len(np.unique(styles[:, 3], axis=0)) == len(many)  # each other latent is a new one
    never, _ = in_training(toy(style_mixing=0.0)[0], variables)
    np.testing.assert_allclose(never, np.repeat(w[:, None], LAYERS, 1), rtol=1e-5)
    half, _ = in_training(toy(style_mixing=0.5)[0], variables, latent=many)
    assert 0.35 < (half[:, 0] != half[:, 3]).any(-1).mean() < 0.65


def test_mixing_and_the_mean_do_not_depend_on_how_the_batch_is_split():
    network, variables, label = toy(condition="embedding", num_classes=2)
    whole = in_training(network, variables, label)
    split = jax.jit(
        jax.vmap(
            lambda z, c: network.clone(axis_name="devices").apply(
                variables, z, c, True, method="mapping", rngs={"noise": KEY}, mutable=["styles"]
            ),
            axis_name="devices",
        )
    )
    styles, changed = split(LATENT.reshape(3, 2, -1), label.reshape(3, 2))
    np.testing.assert_allclose(styles.reshape(whole[0].shape), whole[0], rtol=1e-6)
    for mean in changed["styles"]["mean"]:
        np.testing.assert_allclose(mean, whole[1], rtol=1e-5)


def test_styles_have_the_latents_precision_and_are_computed_in_float32():
    network, variables, _ = toy(style_mixing=0.0)
    styles, mean = in_training(network, variables, latent=LATENT.astype(jnp.bfloat16))
    assert styles.dtype == jnp.bfloat16
    assert mean.dtype == jnp.float32
    w = mapping_by_hand(variables["params"]["mapping_network"], np.float32(LATENT.astype(jnp.bfloat16)))
    np.testing.assert_allclose(mean, (1 - MEAN_DECAY) * w.mean(0), rtol=1e-4)


def test_what_is_told_may_hold_more_than_the_label():
    network, variables, label = toy(condition="auto", num_classes=2)
    expected = network.apply(variables, LATENT, label, False)
    found = network.apply(variables, LATENT, {"label": label, "fade": jnp.ones(())}, False)
    np.testing.assert_array_equal(found, expected)
    assert not toy(condition="auto")[0].conditional


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(style_mixing=1.5), r"style_mixing=1.5: it must be"),
        (dict(mapping_layers=0), r"mapping_layers=0: it must be a positive integer"),
        (dict(style_size=0), r"style_size=0"),
        (dict(mapping_learning_rate=0.0), r"lr_multiplier=0.0: it must be positive"),
        (dict(condition="batch_norm"), r"condition='batch_norm' is not one of auto, none, embedding"),
        (dict(condition="embedding"), r"condition='embedding' needs labels, and the data have none"),
    ],
)
def test_impossible_fields_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        toy(**fields)


def test_a_part_of_a_minibatch_has_another_mean():
    (said,) = network_obstacles(generator=toy()[0])
    assert said.startswith("generator remembers the mean style of the whole mini-batch")
