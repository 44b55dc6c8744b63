"""Networks in bfloat16: what is computed in it, what is not, and how near the numbers stay."""

import dataclasses
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from gan_jax.config import build
from gan_jax.core.algorithm import apply_network
from gan_jax.core.execution import Execution
from gan_jax.distributed.parallel import abstract_state
from gan_jax.losses.gradient_penalties import r1
from gan_jax.models import MODELS
from gan_jax.models.layers import conv
from gan_jax.models.layers.layers import Conv, ConvTranspose, Dense
from gan_jax.models.layers.norms import NORMS, Norm
from gan_jax.models.layers.resample import nearest
from gan_jax.utils.errors import UserError
from tests.shipped import SPEC, config_with
from tests.variants import MINI, VARIANTS, one_device, slow_but, steps_of

SIZE, COUNT, CLASSES = (8, 8, 3), 8, 3
EPS = 2.0**-8  # the distance of bfloat16 numbers from 1/2 to 1
NETWORKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mlp": (
        dict(widths=(12, 10), condition="embedding"),
        dict(widths=(12, 10), norm="layer", dropout=0.3, minibatch="discrimination", auxiliary=3),
    ),
    "dcgan": (
        dict(widths=(12, 10), output_kernel_size=3, upsampling="nearest", condition="batch_norm"),
        dict(widths=(10, 12), norm="batch", dropout=0.3, condition="projection", minibatch="stddev"),
    ),
    "dcgan_more": (
        dict(widths=(12, 10), upsampling="bilinear", norm="instance", activation="selu", spectral_norm=True),
        dict(widths=(10, 12), norm="group", activation="silu", spectral_norm=True, condition="embedding"),
    ),
    "resnet": (
        dict(widths=(16, 16), attention_size=8, condition="one_hot", spectral_norm=True),
        dict(widths=(16, 16), attention_size=4, downsamplings=1, condition="projection"),
    ),
    "progan": (
        dict(width_base=32, width_max=12, condition="one_hot"),
        dict(width_base=32, width_max=12, auxiliary=3),
    ),
    "stylegan2": (
        dict(width_base=64, width_max=12, style_size=8, mapping_layers=2, condition="embedding"),
        dict(width_base=64, width_max=12, mapping_layers=1, condition="projection"),
    ),
    "r3gan": (
        dict(widths=(12, 8), cardinality=(3, 2), blocks=1, condition="embedding"),
        dict(widths=(8, 12), cardinality=(2, 3), blocks=1, condition="projection"),
    ),
    "unet": (dict(width=8, downs=3), dict(width=8, layers=1, spectral_norm=True, norm="batch")),
    "translator": (dict(width=8, blocks=1, norm="batch", spectral_norm=True), dict(width=8, layers=0)),
}
# Families whose networks have other names, and those of pictures made of pictures.
NAMES = {
    "unet": ("unet_generator", "patchgan_discriminator"),
    "translator": ("resnet_translator", "patchgan_discriminator"),
}
CASES = [(family, role) for family in NETWORKS for role in ("generator", "discriminator")]
# Those that are compiled with their gradients in every run of the tests.
FEW = (
    ("mlp", "discriminator"),
    ("dcgan", "discriminator"),
    ("dcgan_more", "generator"),
    ("resnet", "generator"),
    ("unet", "generator"),
)
# A discriminator's layers after its last features.
OUTPUTS = {"dense", "output", "auxiliary", "minibatch", "projection", "last_conv", "hidden", "mapping"}
# What becomes of styles before they scale maps, and the products of scales.
STYLES = {"mapping_network", "style", "demodulation"}
bf16 = np.dtype(jnp.bfloat16)


def network(family, role):
    """The module; its variables, moved away from where they start; an input and its labels."""
    fields = dict(NETWORKS[family][role == "discriminator"])
    if role == "generator":
        fields["image_shape"] = SIZE
    if fields.get("condition", "none") != "none":
        fields["num_classes"] = CLASSES
    kind = family.split("_")[0]
    module = MODELS[NAMES[kind][role == "discriminator"] if kind in NAMES else f"{kind}_{role}"](**fields)
    shape = (COUNT, 7) if role == "generator" and kind not in NAMES else (COUNT, *SIZE)
    numbers = np.random.default_rng(0)
    x = jnp.asarray(numbers.uniform(-1, 1, shape), jnp.float32)
    label = jnp.arange(COUNT) % CLASSES
    shapes = dict(jax.eval_shape(partial(module.init, train=False), jax.random.key(0), x, label))
    # Each product keeps about the size of its input; nothing is zero, as gates and biases are at the start.
    draw = lambda s: jnp.asarray(
        numbers.normal(size=s.shape) / max(1, s.size / max(s.shape, default=1)) ** 0.5, s.dtype
    )
    variables = jax.tree.map(draw, shapes)
    if "batch_stats" in variables:
        variables["batch_stats"] = jax.tree.map(lambda x: x**2, variables["batch_stats"])
    params = variables.pop("params")
    return module, params, variables, x, label


def applied(family, role, precision, **options):
    """(params, x) -> outputs and collections in training; params; x."""
    module, params, stats, x, label = network(family, role)

    def apply(params, x):
        key = jax.random.key(1)
        return apply_network(
            module, params, stats, x, label, key=key, train=True, precision=precision, **options
        )

    return apply, params, x


def equations(program, where="") -> Iterator[tuple[str, Any]]:
    """All equations, also those of inner programs, and the layers that they are in: "A/dense_0"."""
    for eqn in program.eqns:
        place = f"{where}/{eqn.source_info.name_stack}"
        yield place, eqn
        for inner in jax.tree.leaves(list(eqn.params.values()), is_leaf=is_program):
            if is_program(inner):
                yield from equations(getattr(inner, "jaxpr", inner), place)


def is_program(x):
    return hasattr(x, "eqns") or hasattr(x, "jaxpr")


@pytest.mark.parametrize(("family", "role"), CASES)
def test_all_products_of_the_inner_layers_are_of_bfloat16(family, role):
    """But for the power iterations' products with a vector."""
    apply, params, x = applied(family, role, "bfloat16")
    program = jax.make_jaxpr(lambda params, x: apply(params, x)[0])(params, x)
    inner = 0
    for place, eqn in equations(program.jaxpr):
        if eqn.primitive.name in ("conv_general_dilated", "dot_general"):
            dtypes = {v.aval.dtype for v in eqn.invars}
            names = set(place.split("/"))
            vector = any(v.aval.ndim == 1 for v in eqn.invars)
            inside = {"label", "attention"} & names
            if vector or names & STYLES or (role == "discriminator" and names & OUTPUTS and not inside):
                assert dtypes == {np.dtype(np.float32)}, place
            else:
                assert dtypes == {bf16}, place
                inner += 1
    assert inner >= 2


@pytest.mark.parametrize(("family", "role"), CASES)
def test_what_inner_layers_say_is_bfloat16_and_what_leaves_the_network_float32(family, role):
    """A layer that promotes would turn all that follow it into float32."""
    module, params, stats, x, label = network(family, role)
    out, changed = jax.eval_shape(
        partial(module.apply, train=True, mutable=[*stats, "intermediates"], capture_intermediates=True),
        {"params": params, **stats},
        x.astype(bf16),
        label,
        rngs={"dropout": jax.random.key(1)},
    )
    found = jax.tree_util.tree_leaves_with_path(changed.pop("intermediates"))
    named = {tuple(k.key for k in path if hasattr(k, "key")): leaf for path, leaf in found}
    inner = 0
    for (first, *rest), leaf in named.items():
        exact = first == "__call__" or (role == "discriminator" and first in OUTPUTS)
        # tables, what `Norm` casts back, styles and the images that are summed
        exact |= "norm" in rest or {"embedding", *STYLES} & {first, *rest} != set()
        exact |= first == "synthesis_network" and (
            len(rest) == 1 or ("to_image" in rest[0] and len(rest) == 2)
        )
        assert leaf.dtype == (np.float32 if exact else bf16), (first, *rest)
        inner += not exact
    assert inner >= 2
    assert {leaf.dtype for leaf in jax.tree.leaves((out, changed))} == {np.dtype(np.float32)}


@pytest.mark.parametrize(("family", "role"), slow_but(*FEW, among=CASES))
def test_outputs_and_gradients_are_near_those_of_float32(family, role):
    """The mask of dropout is the same, as is its key. No rounding error is as large as the number itself."""
    results = {}
    for precision in ("float32", "bfloat16"):
        apply, params, x = applied(family, role, precision)

        def loss(params, x, apply=apply):
            out, stats = apply(params, x)
            flat = jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(out)])
            return jnp.sum((flat - 0.5) ** 2), (flat, stats)

        grads, (out, stats) = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))(params, x)
        results[precision] = (out, grads, stats)
    exact, near = results["float32"], results["bfloat16"]
    assert {leaf.dtype for leaf in jax.tree.leaves(near)} == {np.dtype(np.float32)}
    scale = float(jnp.max(jnp.abs(exact[0])))
    error = np.abs(exact[0] - near[0])
    assert 0 < np.mean(error) < 4 * EPS * scale
    assert np.max(error) < 16 * EPS * scale
    one, other = (ravel_pytree(grads)[0] for grads in (exact[1], near[1]))
    cosine = one @ other / (jnp.linalg.norm(one) * jnp.linalg.norm(other))
    assert cosine > 0.99
    for a, b in zip(jax.tree.leaves(exact[2]), jax.tree.leaves(near[2]), strict=True):
        np.testing.assert_allclose(b, a, atol=8 * EPS * np.abs(a).max())


def test_spectral_norm_is_that_of_the_float32_kernel():
    """Rounding the kernel first would change sigma and u."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, 5)), jnp.float32)
    layer = Dense(3, use_bias=False, spectral_norm=True)
    variables = layer.init(jax.random.key(0), x)
    found = [layer.apply(variables, y, True, mutable=["spectral"]) for y in (x, x.astype(bf16))]
    u = [changed["spectral"]["u"] for _, changed in found]
    assert u[1].dtype == np.float32
    np.testing.assert_array_equal(*u)
    sigma = float(jnp.linalg.svd(variables["params"]["kernel"], compute_uv=False)[0])
    many = Dense(3, use_bias=False, spectral_norm=True, power_iterations=100)
    kernel = (variables["params"]["kernel"] / sigma).astype(bf16).astype(jnp.float32)
    expected = (x.astype(bf16).astype(jnp.float32) @ kernel).astype(bf16)
    y = many.apply(variables, x.astype(bf16), True, mutable=["spectral"])[0]
    np.testing.assert_allclose(y.astype(np.float32), expected.astype(np.float32), rtol=EPS)


@pytest.mark.parametrize("kind", [kind for kind in NORMS if kind != "none"])
@pytest.mark.parametrize("classes", [None, 3])
def test_norms_round_their_output_and_nothing_else(kind, classes):
    """Numbers whose mean bfloat16 sums would get wrong: 2048 of them around 3."""
    numbers = np.random.default_rng(0)
    x = jnp.asarray(3.0 + numbers.normal(size=(8, 16, 16, 4)), bf16)
    label = jnp.arange(8) % 3
    norm = Norm(kind, num_classes=classes)
    variables = dict(norm.init(jax.random.key(0), x, label, True))
    draw = lambda p: jnp.asarray(numbers.normal(size=p.shape), p.dtype)
    variables["params"] = jax.tree.map(draw, variables["params"])
    full, stats = norm.apply(variables, x.astype(jnp.float32), label, True, mutable=["batch_stats"])
    low, low_stats = norm.apply(variables, x, label, True, mutable=["batch_stats"])
    assert low.dtype == bf16
    np.testing.assert_array_equal(low.astype(np.float32), full.astype(bf16).astype(np.float32))
    jax.tree.map(np.testing.assert_array_equal, stats, low_stats)


def test_points_leave_a_generator_finer_than_bfloat16():
    """And images are float32, not bfloat16's 128 numbers from 1/2 to 1."""
    latent = jax.random.normal(jax.random.key(0), (64, 4))
    for output in ("tanh", "linear"):
        module = MODELS["mlp_generator"]((1, 1, 2), widths=(8,), norm="none", output=output)
        params = module.init(jax.random.key(1), latent, None, False)["params"]
        made, _ = apply_network(module, params, {}, latent, None, key=None, train=False, precision="bfloat16")
        assert made.dtype == np.float32
        assert (made != made.astype(bf16)).mean() > 0.9


def test_gradient_penalty_is_near_that_of_float32():
    found = []
    for precision in ("float32", "bfloat16"):
        apply, params, x = applied("dcgan_more", "discriminator", precision)
        penalty = lambda params, apply=apply, x=x: r1(lambda x: apply(params, x)[0], x)
        found.append(jax.jit(jax.value_and_grad(penalty))(params))
    (value, grads), (near, near_grads) = found
    assert near.dtype == np.float32
    np.testing.assert_allclose(near, value, rtol=8 * EPS)
    one, other = (ravel_pytree(g)[0] for g in (grads, near_grads))
    assert one @ other / (jnp.linalg.norm(one) * jnp.linalg.norm(other)) > 0.99


@pytest.mark.parametrize(
    "name",
    slow_but(
        "dcgan", "relativistic", "consensus", "sagan", "infogan", "feature_matching", "cyclegan", "inpainting"
    ),
)
def test_every_method_steps_in_bfloat16_and_keeps_its_state_in_float32(name):
    """The layers' products are of bfloat16 also in the gradients, of any order."""
    algorithm = dataclasses.replace(VARIANTS[name](), execution=Execution(precision="bfloat16"))
    state = abstract_state(algorithm, MINI, one_device())
    batches = jax.tree.map(lambda x: x[0], steps_of(algorithm))
    program, (after, metrics) = jax.make_jaxpr(algorithm.step, return_shape=True)(state, batches)
    jax.tree.map(lambda a, b: (a.shape, a.dtype) == (b.shape, b.dtype) or pytest.fail(str(a)), after, state)
    assert {metric.dtype for metric in jax.tree.leaves(metrics)} == {np.dtype(np.float32)}
    inner = 0
    for place, eqn in equations(program.jaxpr):
        product = eqn.primitive.name in ("conv_general_dilated", "dot_general")
        if not product or any(v.aval.ndim == 1 for v in eqn.invars):
            continue
        if (
            "ConvAutoencoder.decode" in place and "/up_1" in place
        ):  # what it says of images, not an inner layer
            assert {v.aval.dtype for v in eqn.invars} == {np.dtype(np.float32)}, place
        elif re.search(r"/(dense|conv|up|blocks?)_\d", place) and not STYLES & set(place.split("/")):
            assert {v.aval.dtype for v in eqn.invars} == {bf16}, place
            inner += 1
    assert inner >= {"vae_of_densities": 5, "flow_of_densities": 4}.get(name, 10)
    one = jax.tree.map(lambda x: x[0], batches)
    made = jax.eval_shape(algorithm.sample, state, one, jax.random.key(0))
    assert {image.dtype for image in jax.tree.leaves(made)} == {np.dtype(np.float32)}


def test_precision_is_a_field_of_the_config():
    config = config_with(execution__precision="bfloat16")
    assert build.build_algorithm(config, SPEC).execution.precision == "bfloat16"
    with pytest.raises(UserError, match="precision='float16' is not one of float32, bfloat16"):
        build.build_algorithm(config_with(execution__precision="float16"), SPEC)
    with pytest.raises(UserError, match=r"algorithm .* has no field execution"):
        build.build_algorithm(config_with(algorithm__execution="bfloat16"), SPEC)


# One rounding: what a bfloat16 sum of products may cost


def roundings(function, *arguments):
    """Root mean square error of a function in bfloat16, in that of rounding its float32 results once."""
    low = [jnp.asarray(a, jnp.bfloat16) for a in arguments]
    found, exact = (jax.jit(function)(*a) for a in (low, [x.astype(jnp.float32) for x in low]))
    once = exact.astype(jnp.bfloat16).astype(jnp.float32) - exact
    error = found.astype(jnp.float32) - exact
    return float(jnp.sqrt(jnp.mean(error**2) / jnp.mean(once**2)))


@pytest.mark.parametrize(
    ("inputs", "outputs", "stride", "kernel", "size"),
    [(1, 64, 2, 5, 28), (3, 16, 2, 4, 16), (8, 3, 1, 3, 14), (32, 64, 2, 5, 14)],
)
def test_convolutions_and_their_gradients_round_once(inputs, outputs, stride, kernel, size):
    """Few channels take other forms on the CPU, and weight gradients are summed over parts of the batch."""
    g = conv.geometry((size, size), (kernel, kernel), (stride, stride), "SAME")
    numbers = np.random.default_rng(0)
    x, y = (numbers.normal(size=(32, *side, c)) for side, c in ((g.large, inputs), (g.small, outputs)))
    w = numbers.normal(size=(kernel, kernel, inputs, outputs))
    assert roundings(partial(conv.convolve, g=g), x, w) < 1.1
    assert roundings(partial(conv.convolve_transpose, g=g), y, w) < 1.1
    assert roundings(partial(conv.convolve_weights, g=g), x, y) < 1.1


def test_what_is_broadcast_has_a_gradient_that_is_rounded_once():
    """Of biases and of doubled pixels: XLA's CPU back end would add up in bfloat16."""
    numbers = np.random.default_rng(0)
    image = jnp.asarray(numbers.normal(size=(32, 14, 14, 4)), jnp.bfloat16)
    pull = numbers.normal(size=(32, 14, 14, 4)).astype(np.float32)
    for layer, x in (
        (Conv(4, 1), image),
        (ConvTranspose(4, 3, (14, 14)), image[:, :7, :7]),
        (Dense(4), image),
    ):
        params = layer.init(jax.random.key(0), x)["params"]
        loss = lambda params, layer=layer, x=x: jnp.vdot(
            layer.apply({"params": params}, x).astype(jnp.float32), pull
        )
        found = jax.jit(jax.grad(loss))(params)["bias"]
        expected = np.float64(jnp.asarray(pull).astype(jnp.bfloat16)).sum((0, 1, 2))
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    small = numbers.normal(size=(32, 7, 7, 4))
    slope = jax.grad(
        lambda x, pull: jnp.vdot(nearest(x, (14, 14)).astype(jnp.float32), pull.astype(jnp.float32))
    )
    assert roundings(slope, small, pull) < 1.1
