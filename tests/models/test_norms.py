"""Every norm by hand, conditional on a class, and the same on a batch that is split over devices."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.models import MODELS
from gan_jax.models.layers.norms import NORMS, Norm, check_norm, group_count, needs_no_bias
from tests.devices import AXIS, WAYS, assert_close, everything, split_run
from tests.shipped import FOLDER, get_config

KEY = jax.random.key(0)


def array(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


# BatchNorm

X = array(0, 16, 3, 2, 4) * np.array([1, 2, 5, 0.1], np.float32) + np.array([0, 3, -2, 1], np.float32)


def batch_norm(momentum=0.9, axis_name=None):
    layer = Norm("batch", momentum, axis_name=axis_name)
    return layer, layer.init(KEY, X[:1], None, train=False)


def normalised(x, mean, variance):
    """Keras's formula; its epsilon is 1e-3."""
    return (np.float64(x) - mean) / np.sqrt(variance + 1e-3)


def test_batch_norm_starts_with_no_effect_but_epsilon():
    layer, variables = batch_norm()
    np.testing.assert_allclose(layer.apply(variables, X, None, False), normalised(X, 0, 1), rtol=1e-5)
    moments = variables["batch_stats"]["norm"]
    assert (moments["mean"] == 0).all()
    assert (moments["var"] == 1).all()


def test_batch_norm_gives_every_channel_mean_0_and_variance_1_at_the_start():
    layer, variables = batch_norm()
    y, _ = layer.apply(variables, X * 100, None, True, mutable=["batch_stats"])
    np.testing.assert_allclose(np.mean(y, (0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(np.var(y, (0, 1, 2)), 1, rtol=1e-4)


def test_batch_norm_in_training():
    layer, variables = batch_norm()
    scale, bias = array(1, 4), array(2, 4)
    variables = {**variables, "params": {"norm": {"scale": scale, "bias": bias}}}
    y, changed = layer.apply(variables, X, None, True, mutable=["batch_stats"])
    mean, variance = np.float64(X).mean((0, 1, 2)), np.float64(X).var((0, 1, 2))
    np.testing.assert_allclose(y, normalised(X, mean, variance) * scale + bias, rtol=1e-3, atol=1e-4)
    moments = changed["batch_stats"]["norm"]
    np.testing.assert_allclose(moments["mean"], 0.1 * mean, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(moments["var"], 0.9 * 1 + 0.1 * variance, rtol=1e-5)


def test_moving_averages_over_steps_are_what_evaluation_uses():
    layer, variables = batch_norm(momentum=0.5)
    params, moments = variables["params"], {"batch_stats": variables["batch_stats"]}
    mean, variance = 0.0, 1.0
    for seed in range(3):
        x = array(seed, 8, 3, 2, 4) + seed
        _, moments = layer.apply({"params": params, **moments}, x, None, True, mutable=["batch_stats"])
        mean = 0.5 * mean + 0.5 * np.float64(x).mean((0, 1, 2))
        variance = 0.5 * variance + 0.5 * np.float64(x).var((0, 1, 2))
    y = layer.apply({"params": params, **moments}, X, None, False)
    np.testing.assert_allclose(y, normalised(X, mean, variance), rtol=1e-4, atol=1e-5)


def test_batch_norm_over_a_split_batch_sees_all_of_it():
    layer, variables = batch_norm()
    expected, changed = layer.apply(variables, X, None, True, mutable=["batch_stats"])
    split, _ = batch_norm(axis_name="batch")

    def local(x):
        return split.apply(variables, x, None, True, mutable=["batch_stats"])

    y, moments = jax.pmap(local, axis_name="batch")(X.reshape(8, 2, 3, 2, 4))
    np.testing.assert_allclose(np.asarray(y).reshape(X.shape), expected, rtol=1e-4, atol=1e-5)
    for name in ("mean", "var"):
        for device in range(8):
            np.testing.assert_allclose(
                moments["batch_stats"]["norm"][name][device],
                changed["batch_stats"]["norm"][name],
                rtol=1e-5,
                atol=1e-6,
            )


@pytest.mark.parametrize("momentum", [-0.1, 1.0, 2.0])
def test_impossible_momentum_is_refused(momentum):
    with pytest.raises(ValueError, match=r"momentum=.*must be in"):
        batch_norm(momentum)


# Norm by name

SCALED = array(3, 6, 5, 3, 12) * np.linspace(0.5, 3, 12, dtype=np.float32) + array(4, 12)
LABELS = np.array([0, 2, 2, 0, 2, 0], np.int32)  # class 1 of 3 is not there
AXES = {"batch": (0, 1, 2), "instance": (1, 2), "layer": (1, 2, 3)}  # of the moments, in images
EPSILON = {"batch": 1e-3, "instance": 1e-5, "layer": 1e-5, "group": 1e-5}
KINDS = tuple(EPSILON)


def by_hand(kind, x, groups=4):
    """Mean 0 and variance 1 (but for epsilon) over what the kind names, float64."""
    x = np.float64(x)
    if kind == "group":
        parts = np.split(x, groups, axis=-1)
        return np.concatenate([by_hand("layer", part) for part in parts], axis=-1)
    axes = AXES[kind] if x.ndim == 4 else {"batch": 0, "layer": 1}[kind]
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + EPSILON[kind])


def apply(layer, variables, x, label=None, train=True):
    return layer.apply(variables, x, label, train, mutable=["batch_stats"] if train else [])[0]


@pytest.mark.parametrize("kind", KINDS)
def test_every_norm_by_hand(kind):
    layer = Norm(kind, groups=4)
    variables = layer.init(KEY, SCALED, None, False)
    assert jax.tree.map(jnp.shape, variables["params"]) == {"norm": {"scale": (12,), "bias": (12,)}}
    np.testing.assert_allclose(apply(layer, variables, SCALED), by_hand(kind, SCALED), rtol=1e-4, atol=1e-5)
    scale, bias = array(1, 12), array(2, 12)
    variables = {**variables, "params": {"norm": {"scale": scale, "bias": bias}}}
    expected = by_hand(kind, SCALED) * scale + bias
    np.testing.assert_allclose(apply(layer, variables, SCALED), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["instance", "layer", "group"])
def test_norms_of_one_example_do_not_see_the_batch_nor_the_phase(kind):
    layer = Norm(kind, groups=4)
    variables = layer.init(KEY, SCALED, None, False)
    assert set(variables) == {"params"}
    whole = apply(layer, variables, SCALED, train=True)
    np.testing.assert_allclose(apply(layer, variables, SCALED[2:3], train=False), whole[2:3], rtol=1e-5)


@pytest.mark.parametrize("kind", ["instance", "layer", "group"])
def test_a_large_mean_does_not_cancel(kind):
    """E[x^2] - E[x]^2 in float32 would have no digit left at a mean of 10^4."""
    x = array(0, 2, 8, 8, 4) + np.float32(1e4)
    layer = Norm(kind, groups=2)
    y = apply(layer, layer.init(KEY, x, None, False), x)
    np.testing.assert_allclose(y, by_hand(kind, x, groups=2), atol=0.01)


@pytest.mark.parametrize("kind", ["batch", "layer"])
def test_features_by_hand(kind):
    x = array(0, 7, 5) * np.array([1, 2, 3, 4, 5], np.float32)
    layer = Norm(kind)
    y = apply(layer, layer.init(KEY, x, None, False), x)
    np.testing.assert_allclose(y, by_hand(kind, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("shape", [(16, 3, 2, 4), (16, 4)])
def test_batch_is_flaxs_bit_for_bit(shape, train):
    x = array(5, *shape) + 1
    layer = Norm("batch", momentum=0.9)
    flax = nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-3)
    variables = layer.init(KEY, x, None, False)
    inner = {collection: leaves["norm"] for collection, leaves in variables.items()}
    jax.tree.map(np.testing.assert_array_equal, flax.init(KEY, x), inner)
    y, changed = layer.apply(variables, x, None, train, mutable=["batch_stats"])
    expected, moments = flax.apply(inner, x, mutable=["batch_stats"])
    np.testing.assert_array_equal(y, expected)
    if train:
        jax.tree.map(np.testing.assert_array_equal, changed["batch_stats"]["norm"], moments["batch_stats"])


def test_none_is_the_identity_without_parameters():
    for x in (SCALED, SCALED[:, 0, 0]):
        y, variables = Norm("none").init_with_output(KEY, x, None, True)
        assert y is x
        assert variables == {}


@pytest.mark.parametrize("kind", ["instance", "layer", "group"])
def test_norms_are_pytorchs(kind):
    torch = pytest.importorskip("torch")
    scale, bias = array(1, 12), array(2, 12)
    modules = {
        "instance": torch.nn.InstanceNorm2d(12, affine=True),
        "layer": torch.nn.GroupNorm(1, 12),
        "group": torch.nn.GroupNorm(4, 12),
    }
    module = modules[kind]
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(scale))
        module.bias.copy_(torch.from_numpy(bias))
        expected = module(torch.from_numpy(SCALED.transpose(0, 3, 1, 2).copy())).numpy()
    y = apply(Norm(kind, groups=4), {"params": {"norm": {"scale": scale, "bias": bias}}}, SCALED)
    np.testing.assert_allclose(y, expected.transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-5)


def test_groups_divide_the_channels_and_have_two_at_least():
    counts = {(64, 32): 32, (128, 32): 32, (32, 32): 16, (16, 32): 8, (48, 32): 24, (100, 32): 25}
    counts |= {(12, 5): 4, (7, 32): 1, (1, 32): 1, (2, 32): 1, (4, 1): 1, (9, 32): 3, (66, 32): 22}
    for (channels, groups), expected in counts.items():
        assert group_count(channels, groups) == expected, (channels, groups)


@pytest.mark.parametrize("kind", KINDS)
def test_which_norms_make_a_bias_before_them_useless(kind):
    """Its gradient is zero, but for rounding, and only then."""
    layer = Norm(kind, groups=4)
    variables = layer.init(KEY, SCALED, None, False)
    weights = array(7, *SCALED.shape)

    def loss(bias):
        return jnp.mean(weights * jnp.sin(apply(layer, variables, SCALED + bias)))

    largest = np.abs(jax.grad(loss)(np.zeros(12, np.float32))).max()
    assert (largest < 1e-7) == needs_no_bias(kind)
    assert largest < 1e-7 or largest > 1e-4
    assert not needs_no_bias("none")


# Conditional on a class


def conditional(kind, **fields):
    layer = Norm(kind, groups=4, num_classes=3, **fields)
    return layer, layer.init(KEY, SCALED[:1], LABELS[:1], False)


@pytest.mark.parametrize("kind", KINDS)
def test_conditional_starts_with_a_gain_of_1_and_mean_0_and_variance_1(kind):
    layer, variables = conditional(kind)
    assert set(variables["params"]) == {"scale", "bias"}
    np.testing.assert_array_equal(variables["params"]["scale"], np.ones((3, 12)))
    np.testing.assert_array_equal(variables["params"]["bias"], np.zeros((3, 12)))
    y = np.asarray(apply(layer, variables, 100 * SCALED, LABELS))
    np.testing.assert_allclose(y, by_hand(kind, 100 * SCALED), rtol=1e-4, atol=1e-5)
    y = np.stack(np.split(y, 4, axis=-1)) if kind == "group" else y
    axes = (2, 3, 4) if kind == "group" else AXES[kind]
    np.testing.assert_allclose(y.mean(axes), 0, atol=1e-5)
    np.testing.assert_allclose(y.var(axes), 1, rtol=1e-4)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("kind", ["batch", "instance"])
def test_classes_have_the_same_mean_0_and_variance_1_at_the_start(kind, train):
    """A gain that lacks its 1 would make every class vanish: here each has the statistics of all."""
    layer, variables = conditional(kind)
    x, label = array(0, 3000, 2, 2, 12), np.arange(3000, dtype=np.int32) % 3
    y = np.asarray(apply(layer, variables, x, label, train))
    for k in range(3):
        np.testing.assert_allclose(y[label == k].mean((0, 1, 2)), 0, atol=0.08)
        np.testing.assert_allclose(y[label == k].var((0, 1, 2)), 1, atol=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_class_has_a_gain_and_a_bias_of_its_own(kind):
    layer, variables = conditional(kind)
    scale, bias = array(1, 3, 12), array(2, 3, 12)
    y = apply(layer, {**variables, "params": {"scale": scale, "bias": bias}}, SCALED, LABELS)
    normalised = by_hand(kind, SCALED)
    for i, k in enumerate(LABELS):
        np.testing.assert_allclose(y[i], normalised[i] * scale[k] + bias[k], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_only_the_classes_seen(kind):
    layer, variables = conditional(kind)
    weights = array(7, *SCALED.shape)

    def loss(params):
        return jnp.sum(weights * apply(layer, {**variables, "params": params}, SCALED, LABELS))

    gradient = jax.grad(loss)(variables["params"])
    for k in range(3):
        rows = [label == k for label in LABELS]
        by_bias = weights.astype(np.float64)[rows].sum((0, 1, 2))
        by_scale = (weights * by_hand(kind, SCALED))[rows].sum((0, 1, 2))
        np.testing.assert_allclose(gradient["bias"][k], by_bias, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(gradient["scale"][k], by_scale, rtol=1e-4, atol=1e-3)
    assert (gradient["scale"][1] == 0).all()
    assert (gradient["bias"][1] == 0).all()


def test_conditional_features():
    layer = Norm("batch", num_classes=3)
    x = SCALED[:, 0, 0]
    variables = layer.init(KEY, x, LABELS, False)
    scale, bias = array(1, 3, 12), array(2, 3, 12)
    y = apply(layer, {**variables, "params": {"scale": scale, "bias": bias}}, x, LABELS)
    expected = by_hand("batch", x) * scale[LABELS] + bias[LABELS]
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_a_label_out_of_range_is_not_taken_for_another_class():
    layer, variables = conditional("instance")
    y = np.asarray(apply(layer, variables, SCALED, np.array([0, 1, 2, 3, 99, 0], np.int32)))
    assert np.isnan(y[3:5]).all()
    assert np.isfinite(y[[0, 1, 2, 5]]).all()


# Layouts


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_conditional_norms_on_a_split_batch(kind, way):
    layer, variables = conditional(kind)
    params = {"scale": 1 + array(1, 3, 12) / 4, "bias": array(2, 3, 12)}
    stats = {name: leaves for name, leaves in variables.items() if name != "params"}
    rows = (array(8, 16, 3, 2, 12) + 1, np.arange(16, dtype=np.int32) % 3, array(9, 16, 3, 2, 12))

    def loss_with(layer):
        def loss(params, rows):
            x, label, weights = rows
            y = apply(layer, {"params": params, **stats}, x, label)
            return jnp.mean(weights * jnp.sin(y)), y

        return loss

    expected = jax.jit(everything(loss_with(layer)))(params, rows)
    split, _ = conditional(kind, axis_name=AXIS)
    assert_close(split_run(way, everything(loss_with(split)), params, rows), expected, 1e-4)


def test_seeds_are_independent():
    layer, variables = conditional("batch")
    params = {"scale": array(1, 2, 3, 12), "bias": array(2, 2, 3, 12)}
    x = np.stack([SCALED, 2 * SCALED + 1])

    def one(params, x):
        return layer.apply({**variables, "params": params}, x, LABELS, True, mutable=["batch_stats"])

    found = jax.vmap(one)(params, x)
    for seed in range(2):
        expected = one(jax.tree.map(lambda leaf: leaf[seed], params), x[seed])  # noqa: B023
        assert_close(jax.tree.map(lambda leaf: leaf[seed], found), expected)  # noqa: B023


# Mistakes


@pytest.mark.parametrize(
    ("fields", "shape", "message"),
    [
        (
            {"kind": "spectral"},
            (2, 3, 3, 4),
            "norm='spectral' is not one of none, batch, instance, layer, gr",
        ),
        ({"kind": "instance"}, (2, 4), "norm='instance' needs images; features .* none, batch, layer"),
        ({"kind": "group"}, (2, 4), "norm='group' needs images"),
        ({"kind": "instance"}, (2, 1, 1, 4), "makes every 1x1 map zero"),
        ({"kind": "batch"}, (2, 3, 4), "not shape"),
        ({"kind": "none", "num_classes": 3}, (2, 3, 3, 4), "no gain and bias to condition"),
        ({"kind": "batch", "num_classes": 3}, (2, 3, 3, 4), "of 3 classes needs labels"),
        ({"kind": "batch", "num_classes": 0}, (2, 3, 3, 4), "num_classes=0"),
        ({"kind": "group", "groups": 0}, (2, 3, 3, 4), "groups=0"),
        ({"kind": "batch", "momentum": 1.0}, (2, 3, 3, 4), "momentum=1.0"),
    ],
    ids=str,
)
def test_mistakes_are_refused(fields, shape, message):
    with pytest.raises(ValueError, match=message):
        Norm(**fields).init(KEY, np.ones(shape, np.float32), None, False)


def test_names():
    for kind in NORMS:
        check_norm(kind)
    with pytest.raises(ValueError, match="normalisation='batchnorm' is not one of none"):
        check_norm("batchnorm", "normalisation")
    with pytest.raises(ValueError, match="'batchnorm'"):
        needs_no_bias("batchnorm")


# What is added to the variance


@pytest.mark.parametrize("kind", [kind for kind in NORMS if kind != "none"])
@pytest.mark.parametrize("epsilon", [0.0, 1e-8, 0.5])
def test_epsilon_is_a_field_of_which_0_is_the_norms_own(kind, epsilon):
    """Values of variance v come out with v / (v + epsilon)."""
    x = 0.01 * array(3, 8, 4, 4, 4)
    layer = Norm(kind, epsilon=epsilon, groups=2)
    y, _ = layer.init_with_output(KEY, x, None, True)
    axes = {"batch": (0, 1, 2), "instance": (1, 2), "layer": (1, 2, 3), "group": (1, 2)}[kind]
    grouped = (
        (lambda a: a.reshape(8, 16, 2, 2).swapaxes(2, 3).reshape(8, 32, 1, 2))
        if kind == "group"
        else lambda a: a
    )
    variance = np.var(np.float64(grouped(x)), axes)
    expected = variance / (variance + (epsilon or EPSILON[kind]))
    np.testing.assert_allclose(np.var(np.float64(grouped(np.asarray(y))), axes), expected, rtol=1e-3)


@pytest.mark.parametrize("epsilon", [-1e-5, float("nan"), "1e-5"])
def test_impossible_epsilons_are_refused(epsilon):
    with pytest.raises(ValueError, match=r"norm_epsilon=.*it must be"):
        Norm("batch", epsilon=epsilon).init(KEY, X, None, False)


NORMED = [name for name in MODELS if hasattr(MODELS[name], "norm") and name != "wavegan_discriminator"]


@pytest.mark.parametrize("name", NORMED)
def test_every_network_hands_its_epsilon_to_all_of_its_norms(name, monkeypatch):
    """With a huge one nothing is left of what a norm gets."""
    seen = []

    def spy(self, x, *rest):
        seen.append(self.epsilon)
        return x

    monkeypatch.setattr(Norm, "__call__", spy)
    of_images: dict[str, Any] = dict(
        unet_generator=dict(image_shape=(8, 8, 1), width=4, downs=3),
        resnet_translator=dict(image_shape=(8, 8, 1), width=4, blocks=1),
        patchgan_discriminator=dict(width=4, layers=1),
        srresnet_generator=dict(image_shape=(8, 8, 1), width=4, blocks=2),
        sr_discriminator=dict(width=4),
    )
    others = dict(image_shape=(8, 8, 1)) if "generator" in name else dict(auxiliary=1, auxiliary_hidden=2)
    single = name.removesuffix("_pair")
    fields = of_images.get(single, dict(widths=(4, 4), **others))
    network = MODELS[name](norm="batch", norm_epsilon=0.25, **fields)
    of_latents = "generator" in name and single not in of_images
    x = np.zeros((2, 5) if of_latents else (2, 8, 8, 1), np.float32)
    inputs = (x,) if single == name else (x, x)
    jax.eval_shape(lambda: network.init(KEY, *inputs, None, train=False))
    assert len(seen) >= 2
    assert set(seen) == {0.25}


def test_radfords_first_batch_norm_gives_variance_1():
    """Weights of N(0, 0.02^2) make small maps: with Keras's epsilon it is 0.73, with the config's 0.996."""
    config = get_config(FOLDER / "dcgan_radford_64.py").discriminator.to_dict()
    images = np.random.default_rng(0).uniform(-1, 1, (8, 1, 1, 3)).astype(np.float32)
    images = np.broadcast_to(images, (8, 64, 64, 3)) * 0.9  # as smooth as pictures are
    found = {}
    for epsilon in (0.0, config["norm_epsilon"]):
        fields = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items() if k != "name"}
        network = MODELS["dcgan_discriminator"](**(fields | dict(widths=(128, 16), norm_epsilon=epsilon)))
        variables = network.init(KEY, images, None, train=False)
        _, out = network.apply(
            variables,
            images,
            None,
            train=True,
            mutable=["batch_stats", "intermediates"],
            capture_intermediates=True,
        )
        found[epsilon] = np.var(np.float64(out["intermediates"]["norm_1"]["__call__"][0]))
    assert found[0.0] < 0.9
    np.testing.assert_allclose(found[config["norm_epsilon"]], 1.0, atol=0.01)
