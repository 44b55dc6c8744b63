"""How labels enter every network and features leave it, by hand, and the same on a split batch."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.models import MODELS
from gan_jax.models.layers.conditioning import INPUTS, JoinLabel, JoinPlanes, check_label, head
from tests.devices import AXIS, WAYS, assert_close, everything, split_run

KEY = jax.random.key(0)
SHAPE, CLASSES, COUNT = (7, 6, 2), 5, 4
KINDS = ("dcgan", "mlp", "resnet")
LABEL = np.array([3, 0, 4, 3], np.int32)
LATENT = np.random.default_rng(0).standard_normal((COUNT, 6)).astype(np.float32)
IMAGE = np.random.default_rng(1).uniform(-1, 1, (COUNT, *SHAPE)).astype(np.float32)
ONE_HOT = np.eye(CLASSES, dtype=np.float32)[LABEL]


def network(role, kind, **fields):
    """A small network; conditional ones with `condition`."""
    fields = {"widths": (6, 4), **fields}
    if fields.get("condition", "none") != "none":
        fields = {"num_classes": CLASSES, "embedding_size": 3, **fields}
    if role == "generator":
        return MODELS[f"{kind}_generator"](image_shape=SHAPE, **fields)
    if kind == "resnet":
        fields = {"downsamplings": 1, "spectral_norm": False, **fields}
    return MODELS[f"{kind}_discriminator"](**fields)


CONDITIONAL = [
    pytest.param(role, kind, condition, id=f"{kind}-{role}-{condition}")
    for role, last in (("generator", "batch_norm"), ("discriminator", "projection"))
    for kind in KINDS
    for condition in (*INPUTS, last)
    if (kind, condition) != ("mlp", "batch_norm")
]


def seen(role):
    return LATENT if role == "generator" else IMAGE


def random_like(variables):
    """Random leaves, so that nothing hides behind a zero; variances positive."""
    numbers = np.random.default_rng(2)

    def draw(path, leaf):
        if "'var'" in jax.tree_util.keystr(path):
            return numbers.uniform(0.5, 2, leaf.shape).astype(np.float32)
        deviation = 0.5 if leaf.ndim < 2 else 2 * np.sqrt(leaf.shape[-1] / leaf.size)
        return (deviation * numbers.standard_normal(leaf.shape)).astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, variables)


def variables_of(module, x, label=None):
    return random_like(jax.eval_shape(lambda: module.init(KEY, x, label, train=False)))


def sizes(variables):
    return jax.tree.map(np.shape, variables)


def first_variables(module, x, label=None):
    """The parameters that training starts from."""
    return jax.jit(lambda: module.init(KEY, x, label, train=False))()


@functools.partial(jax.jit, static_argnums=0)  # a program for each module, not for each call
def evaluate(module, variables, x, label=None):
    return module.apply(variables, x, label, train=False)


# What every network does with a label


@pytest.mark.parametrize("role", ["generator", "discriminator"])
@pytest.mark.parametrize("kind", KINDS)
def test_unconditional_networks_ignore_the_label(kind, role):
    module, x = network(role, kind, num_classes=CLASSES), seen(role)
    assert not module.conditional
    variables = variables_of(module, x)
    assert sizes(variables) == sizes(variables_of(module, x, LABEL))
    expected = evaluate(module, variables, x)
    for label in (LABEL, np.array([99, -1, 0, 0]), np.array([0.5])):
        np.testing.assert_array_equal(evaluate(module, variables, x, label), expected)


@pytest.mark.parametrize(("role", "kind", "condition"), CONDITIONAL)
def test_conditional_networks_look_at_the_label_of_each_example(role, kind, condition):
    module, x = network(role, kind, condition=condition), seen(role)
    assert module.conditional
    variables = variables_of(module, x, LABEL)
    first = evaluate(module, variables, x, LABEL)
    assert np.isfinite(first).all()
    other = evaluate(module, variables, x, np.where(np.arange(COUNT) == 1, 2, LABEL))
    changed = [not np.allclose(a, b, rtol=1e-3) for a, b in zip(first, other, strict=True)]
    assert changed == [False, True, False, False]


@pytest.mark.parametrize(("role", "kind", "condition"), CONDITIONAL)
def test_labels_are_needed(role, kind, condition):
    x = seen(role)
    for fields, label, message in (
        (dict(num_classes=None), LABEL, f"condition='{condition}' needs labels, and the data have none"),
        (dict(num_classes=0), LABEL, "num_classes=0: it must be a positive integer"),
        ({}, None, f"condition='{condition}' needs a label for each of the {COUNT}; none was given"),
        ({}, LABEL[:3], rf"shape \(3,\) and type int32 .* must be int32 of shape \({COUNT},\)"),
        ({}, LABEL[:, None], r"shape \(4, 1\)"),
        ({}, np.float32(LABEL), "type float32"),
    ):
        with pytest.raises(ValueError, match=message):
            variables_of(network(role, kind, condition=condition, **fields), x, label)


@pytest.mark.parametrize(
    ("role", "kind", "condition", "choices"),
    [
        ("generator", "dcgan", "projection", "none, embedding, one_hot, batch_norm"),
        ("generator", "resnet", "label", "none, embedding, one_hot, batch_norm"),
        ("generator", "mlp", "batch_norm", "none, embedding, one_hot"),
        ("discriminator", "dcgan", "batch_norm", "none, embedding, one_hot, projection"),
        ("discriminator", "mlp", "proj", "none, embedding, one_hot, projection"),
        ("discriminator", "resnet", "", "none, embedding, one_hot, projection"),
    ],
)
def test_unknown_conditions_list_the_choices(role, kind, condition, choices):
    with pytest.raises(ValueError, match=f"condition='{condition}' is not one of auto, {choices}"):
        variables_of(network(role, kind, condition=condition), seen(role), LABEL)


@pytest.mark.parametrize("kind", ["dcgan", "resnet"])
@pytest.mark.parametrize("norm", ["none", "layer", "instance"])
def test_conditional_batch_norm_needs_batch_norm(kind, norm):
    module = network("generator", kind, condition="batch_norm", norm=norm)
    with pytest.raises(ValueError, match=f"takes the place of BatchNorm, but norm='{norm}'; use 'batch'"):
        variables_of(module, LATENT, LABEL)


def test_label_of_any_integer_type_is_fine():
    for dtype in (np.int16, np.uint8, np.int32):
        check_label("one_hot", ("one_hot",), CLASSES, jnp.asarray(LABEL, dtype), COUNT)


# Codes joined to the input


@pytest.mark.parametrize("role", ["generator", "discriminator"])
@pytest.mark.parametrize("kind", KINDS)
def test_one_hot_is_the_plain_network_on_inputs_joined_by_hand(kind, role):
    module, x = network(role, kind, condition="one_hot"), seen(role)
    variables = variables_of(module, x, LABEL)
    if role == "generator":
        joined = np.concatenate([x, ONE_HOT], 1)
    elif kind == "mlp":
        joined = np.concatenate([x.reshape(COUNT, -1), ONE_HOT], 1)
    else:
        planes = np.zeros((COUNT, *SHAPE[:2], CLASSES), np.float32)
        for example, label in enumerate(LABEL):
            planes[example, :, :, label] = 1
        joined = np.concatenate([x, planes], -1)
    plain = network(role, kind)
    assert sizes(variables) == sizes(variables_of(plain, joined))
    np.testing.assert_allclose(
        evaluate(module, variables, x, LABEL), evaluate(plain, variables, joined), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("role", ["generator", "discriminator"])
@pytest.mark.parametrize("kind", KINDS)
def test_embedding_is_the_plain_network_on_inputs_joined_by_hand(kind, role):
    module, x = network(role, kind, condition="embedding"), seen(role)
    variables = variables_of(module, x, LABEL)
    rest = dict(variables["params"])
    own = rest.pop("label")
    if role == "generator" or kind == "mlp":
        assert own["embedding"]["embedding"].shape == (CLASSES, 3)
        joined = np.concatenate([x.reshape(COUNT, -1), own["embedding"]["embedding"][LABEL]], 1)
    else:
        plane = own["vector"]["embedding"]["embedding"][LABEL] @ own["plane"]["kernel"] + own["plane"]["bias"]
        joined = np.concatenate([x, plane.reshape(COUNT, *SHAPE[:2], 1)], -1)
    found = evaluate(module, variables, x, LABEL)
    expected = evaluate(network(role, kind), {**variables, "params": rest}, joined)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_labels_out_of_range_cannot_raise_under_jit():
    """What they give instead is documented; a negative one-hot is zeros too."""
    label = np.array([1, CLASSES, 0, -1])
    code = np.asarray(evaluate(JoinLabel("one_hot", CLASSES, 0), {}, LATENT, label))[:, LATENT.shape[1] :]
    np.testing.assert_array_equal(code, np.eye(CLASSES)[[1, 0, 0, 0]] * [[1], [0], [1], [0]])
    module = JoinLabel("embedding", CLASSES, 3)
    variables = variables_of(module, LATENT, LABEL)
    code = np.asarray(evaluate(module, variables, LATENT, label))
    table = variables["params"]["embedding"]["embedding"]
    np.testing.assert_array_equal(code[[0, 2, 3], 6:], table[[1, 0, -1]])
    assert np.isnan(code[1, 6:]).all()


def test_embedding_plane_with_spectral_normalisation_has_its_estimates():
    module = JoinPlanes("embedding", CLASSES, 3, spectral_norm=True)
    variables = variables_of(module, IMAGE, LABEL)
    assert set(variables) == {"params", "spectral"}
    assert set(variables["spectral"]) == {"vector", "plane"}


@pytest.mark.parametrize("join", [JoinLabel, JoinPlanes])
def test_embedding_size_is_checked(join):
    with pytest.raises(ValueError, match="embedding_size=0: it must be a positive integer"):
        join("embedding", CLASSES, 0).init(KEY, LATENT if join is JoinLabel else IMAGE, LABEL, False)


# Conditional BatchNorm


def gains(params):
    """Paths of the gains that have a row for each class."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return [
        jax.tree_util.keystr(path)
        for path, leaf in leaves
        if "'scale'" in jax.tree_util.keystr(path) and leaf.ndim == 2
    ]


@pytest.mark.parametrize("kind", ["dcgan", "resnet"])
def test_classes_start_equal_and_one_gain_changes_one_class(kind):
    """A gain that starts at 0 or lacks its 1 shows here: all images would be grey."""
    module = network("generator", kind, condition="batch_norm")
    z = np.repeat(LATENT[:1], CLASSES, 0)
    label = np.arange(CLASSES, dtype=np.int32)
    variables = first_variables(module, z, label)
    first = np.asarray(evaluate(module, variables, z, label))
    assert first.std() > 0.01
    np.testing.assert_array_equal(first, np.repeat(first[:1], CLASSES, 0))
    paths = gains(variables["params"])
    assert len(paths) == 2  # of both maps, or of one block's two norms: the last norm has no classes
    for path in paths:

        def change(here, leaf, path=path):
            return leaf.at[3].multiply(1.5) if jax.tree_util.keystr(here) == path else leaf

        params = jax.tree_util.tree_map_with_path(change, variables["params"])
        found = np.asarray(evaluate(module, {**variables, "params": params}, z, label))
        np.testing.assert_array_equal(found[[0, 1, 2, 4]], first[[0, 1, 2, 4]])
        assert np.abs(found[3] - first[3]).max() > 1e-3


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("kind", ["dcgan", "resnet"])
def test_a_batch_of_one_class_is_the_plain_network_with_its_gains(kind, train):
    module, plain = (network("generator", kind, condition=c) for c in ("batch_norm", "none"))
    variables = variables_of(module, LATENT, LABEL)

    def plain_params(tree):
        """{"norm_0": {"scale": [K, C], ...}} -> {"norm_0": {"norm": {"scale": [C], ...}}}"""
        if not isinstance(tree, dict):
            return tree
        if "scale" in tree and tree["scale"].ndim == 2:
            return {"norm": {name: table[2] for name, table in tree.items()}}
        return {name: plain_params(value) for name, value in tree.items()}

    params = plain_params(variables["params"])
    twos = np.full(COUNT, 2, np.int32)
    found, expected = (
        jax.jit(functools.partial(network.apply, train=train, mutable=["batch_stats"] if train else []))(
            {**variables, "params": own}, LATENT, label
        )
        for network, own, label in ((module, variables["params"], twos), (plain, params, None))
    )
    assert_close(found, expected, 1e-4)


# The head


def features_of(module, variables, label):
    """h, read through an auxiliary output of as many numbers that is the identity."""
    name = "auxiliary"
    size = variables["params"][name]["kernel"].shape[0]
    identity = {"kernel": np.eye(size, dtype=np.float32), "bias": np.zeros(size, np.float32)}
    params = {**variables["params"], name: identity}
    reader = module.clone(auxiliary=size)
    return np.float64(evaluate(reader, {**variables, "params": params}, IMAGE, label)[1])


@pytest.mark.parametrize(
    ("kind", "minibatch"), [("mlp", "none"), ("dcgan", "discrimination"), ("resnet", "none")]
)
def test_projection_and_auxiliary_outputs_are_their_formulas(kind, minibatch):
    """Miyato and Koyama's equation 3, and a dense layer beside it."""
    module = network(
        "discriminator", kind, condition="projection", auxiliary=3, minibatch=minibatch, minibatch_kernels=2
    )
    variables = variables_of(module, IMAGE, LABEL)
    p = variables["params"]
    logits, more = evaluate(module, variables, IMAGE, LABEL)
    h = features_of(module, variables, LABEL)
    last = p["output" if kind == "mlp" else "dense"]
    embedded = np.asarray(p["projection"]["embedding"], np.float64)[LABEL]
    assert h.std() > 0.1
    expected = (embedded * h).sum(1) + (h @ last["kernel"] + last["bias"])[:, 0]
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        more, h @ p["auxiliary"]["kernel"] + p["auxiliary"]["bias"], rtol=1e-4, atol=1e-4
    )
    assert logits.shape == (COUNT,)
    assert more.shape == (COUNT, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_auxiliary_outputs_and_projection_leave_the_plain_logits_alone(kind):
    """The plain network's parameters start with the same bits, and give the same logits."""
    plain, more = network("discriminator", kind), network("discriminator", kind, auxiliary=3)
    p, q = first_variables(plain, IMAGE), first_variables(more, IMAGE)
    jax.tree.map(np.testing.assert_array_equal, p["params"], {k: q["params"][k] for k in p["params"]})
    assert set(q["params"]) - set(p["params"]) == {"auxiliary"}
    np.testing.assert_array_equal(evaluate(more, q, IMAGE)[0], evaluate(plain, p, IMAGE))


@pytest.mark.parametrize("norm", ["none", "layer", "group"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_hidden_layer_of_the_auxiliary_outputs_by_hand(kind, norm):
    """Dense, the network's norm where it takes vectors, leaky ReLU 0.1, dense."""
    if kind == "mlp" and norm == "group":
        pytest.skip("it takes images")
    module = network("discriminator", kind, norm=norm, auxiliary=3, auxiliary_hidden=6)
    params = variables_of(module, IMAGE)["params"]
    (_, more), changed = module.apply(
        {"params": params}, IMAGE, None, False, capture_intermediates=True, mutable=["intermediates"]
    )
    said = changed["intermediates"]
    h = np.asarray(said["auxiliary_hidden"]["__call__"][0], np.float64)
    if norm == "layer":
        scale, bias = (params["auxiliary_norm"]["norm"][name] for name in ("scale", "bias"))
        h = (h - h.mean(1, keepdims=True)) / np.sqrt(h.var(1, keepdims=True) + 1e-5) * scale + bias
    else:
        assert "auxiliary_norm" not in params
    h = np.where(h > 0, h, 0.1 * h)
    expected = h @ params["auxiliary"]["kernel"] + params["auxiliary"]["bias"]
    np.testing.assert_allclose(more, expected, rtol=1e-4, atol=1e-4)
    plain = variables_of(network("discriminator", kind, norm=norm, auxiliary=3), IMAGE)["params"]
    assert set(params) - set(plain) <= {"auxiliary_hidden", "auxiliary_norm"}  # the logits do not pass it
    assert params["auxiliary_hidden"]["kernel"].shape[0] == plain["auxiliary"]["kernel"].shape[0]


def test_a_hidden_layer_before_nothing_is_refused():
    with pytest.raises(ValueError, match="auxiliary_hidden=6, auxiliary=0: there are no auxiliary outputs"):
        first_variables(network("discriminator", "mlp", auxiliary_hidden=6), IMAGE)


class Only(nn.Module):
    """Nothing but a head."""

    spectral_norm: bool = False

    @nn.compact
    def __call__(self, x, label, train):
        return head(
            x,
            label,
            train,
            name="dense",
            projection=True,
            num_classes=CLASSES,
            auxiliary=2,
            spectral_norm=self.spectral_norm,
        )


def test_spectral_normalisation_holds_for_all_of_the_head():
    module = Only(spectral_norm=True)
    variables = first_variables(module, LATENT, LABEL)
    params, stats = random_like(variables["params"]), {"spectral": variables["spectral"]}
    run = jax.jit(
        lambda stats: module.apply({"params": params, **stats}, LATENT, LABEL, True, mutable=["spectral"])
    )
    for _ in range(100):
        (logits, more), stats = run(stats)
    h = np.float64(LATENT)
    dense, auxiliary, table = (
        np.float64(w) / np.linalg.svd(w)[1][0]
        for w in (params["dense"]["kernel"], params["auxiliary"]["kernel"], params["projection"]["embedding"])
    )
    expected = (h @ dense)[:, 0] + params["dense"]["bias"] + (table[LABEL] * h).sum(1)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(more, h @ auxiliary + params["auxiliary"]["bias"], rtol=1e-4, atol=1e-5)


# Minibatch layers


@pytest.mark.parametrize(
    ("minibatch", "more"), [("none", 0), ("discrimination", 7), ("stddev", 1), ("stddev_strided", 1)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_minibatch_layers_add_features_that_tell_copies(kind, minibatch, more):
    module = network("discriminator", kind, minibatch=minibatch, minibatch_kernels=7)
    plain = layer_inputs(network("discriminator", kind), kind)
    assert layer_inputs(module, kind) == plain + more
    variables = variables_of(module, IMAGE)
    copies = np.repeat(IMAGE[:1], COUNT, 0)
    varied, same = (evaluate(module, variables, x)[0] for x in (IMAGE, copies))
    assert (abs(varied - same) > 1e-3) == (minibatch != "none")


def layer_inputs(module, kind):
    params = variables_of(module, IMAGE)["params"]
    return params["output" if kind == "mlp" else "dense"]["kernel"].shape[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_group_must_divide_the_batch(kind):
    module = network("discriminator", kind, minibatch="stddev", minibatch_group=3)
    with pytest.raises(ValueError, match="group_size=3 does not divide the batch of 4"):
        variables_of(module, IMAGE)


# Gradients


@pytest.mark.parametrize(
    ("kind", "condition"),
    [("dcgan", "embedding"), ("mlp", "one_hot"), ("resnet", "projection")],
)
def test_gradients_are_finite_and_reach_everything(kind, condition):
    """Of a hinge-like loss with a gradient penalty, so of the second order; at the initial parameters."""
    module = network(
        "discriminator",
        kind,
        condition=condition,
        auxiliary=2,
        minibatch="discrimination",
        minibatch_kernels=2,
        spectral_norm=True,
    )
    variables = dict(first_variables(module, IMAGE, LABEL))
    params = variables.pop("params")

    def loss(params):
        def score(image):
            (logits, more), _ = module.apply(
                {"params": params, **variables}, image, LABEL, True, mutable=["spectral"]
            )
            return logits.sum() + jnp.sum(more**2), logits

        slope, logits = jax.grad(score, has_aux=True)(IMAGE)
        return jnp.mean(jnp.sum(slope**2, (1, 2, 3))) + jnp.mean(jax.nn.softplus(logits))

    gradients = jax.jit(jax.grad(loss))(params)
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradients):
        assert np.isfinite(leaf).all(), jax.tree_util.keystr(path)
        assert (np.asarray(leaf) != 0).any(), jax.tree_util.keystr(path)


# A split batch


BATCH = 16
SPLIT_LATENT = np.random.default_rng(3).standard_normal((BATCH, 6)).astype(np.float32)
SPLIT_LABEL = np.random.default_rng(4).integers(0, CLASSES, BATCH).astype(np.int32)


def game(axis_name=None):
    """A conditional generator against a projection discriminator; (params, rows) -> (mean loss, values)."""
    generator = network("generator", "resnet", condition="batch_norm", attention_size=4, axis_name=axis_name)
    discriminator = network(
        "discriminator",
        "dcgan",
        condition="projection",
        minibatch="discrimination",
        minibatch_kernels=2,
        spectral_norm=True,
        norm="batch",
        auxiliary=CLASSES,
        axis_name=axis_name,
    )

    def loss(params, rows):
        z, label = rows
        image, _ = generator.apply(params["g"], z, label, True, mutable=["batch_stats"])
        (logits, more), _ = discriminator.apply(
            params["d"], image, label, True, mutable=["batch_stats", "spectral"]
        )
        entropy = -jnp.take_along_axis(jax.nn.log_softmax(more), label[:, None], 1)[:, 0]
        return jnp.mean(jax.nn.softplus(-logits) + entropy), (image, logits, more)

    return generator, discriminator, loss


@pytest.fixture(scope="module")
def whole():
    """Parameters, rows, and values, loss and gradients of the whole batch at once."""
    generator, discriminator, loss = game()
    params = {
        "g": variables_of(generator, SPLIT_LATENT, SPLIT_LABEL),
        "d": variables_of(discriminator, np.repeat(IMAGE, 4, 0), SPLIT_LABEL),
    }
    rows = (SPLIT_LATENT, SPLIT_LABEL)
    return params, rows, jax.jit(everything(loss))(params, rows)


@pytest.mark.parametrize("way", WAYS)
def test_a_split_batch_gives_the_same_values_and_gradients(way, whole):
    params, rows, expected = whole
    found = split_run(way, everything(game(AXIS)[2]), params, rows)
    assert_close(found, expected, 2e-4)


@pytest.mark.parametrize(
    ("role", "kind", "fields", "by_class"),
    [
        ("generator", "dcgan", {}, "batch_norm"),
        ("generator", "dcgan", {"norm": "layer"}, "embedding"),
        ("generator", "mlp", {"norm": "batch"}, "embedding"),
        ("discriminator", "dcgan", {}, "projection"),
        ("discriminator", "mlp", {}, "projection"),
    ],
)
def test_auto_is_a_condition_that_the_network_has_where_the_data_have_classes(role, kind, fields, by_class):
    auto = network(role, kind, condition="auto", **fields)
    named = network(role, kind, condition=by_class, **fields)
    assert auto == named
    assert auto.clone(widths=(3, 2)).condition == by_class
    x = seen(role)
    assert jax.eval_shape(lambda: auto.init(KEY, x, LABEL, True)) == jax.eval_shape(
        lambda: named.init(KEY, x, LABEL, True)
    )


@pytest.mark.parametrize("role", ["generator", "discriminator"])
def test_auto_is_none_without_classes(role):
    auto = network(role, "dcgan", condition="auto", num_classes=None)
    assert not auto.conditional
    auto.init(KEY, seen(role), None, True)
