"""Gradient checkpointing: the same numbers from less memory, at the price that `models.layers.remat` says."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.config.build import build_algorithm
from gan_jax.core.algorithm import apply_network
from gan_jax.core.execution import Execution
from gan_jax.distributed import parallel
from gan_jax.models import MODELS
from gan_jax.utils import compiler
from tests.core.test_precision import CASES, FEW, applied, equations
from tests.shipped import SPEC, config_with
from tests.variants import VARIANTS, first_state, one_device, slow_but, steps_of

# A gradient of a gradient, with dropout, BatchNorm and labels; and a method that reads inner layers.
STEPS = ("wgan_gp", "r3gan", "feature_matching")
QUICKLY = (compiler.options("cpu") or {}) | {"xla_cpu_use_fusion_emitters": False}


def loss_of(apply):
    """A number of all outputs, with the collections beside it."""

    def loss(params, x):
        out, stats = apply(params, x)
        return sum(jnp.sum((leaf - 0.5) ** 2) for leaf in jax.tree.leaves(out)), (out, stats)

    return loss


@pytest.mark.parametrize(("family", "role"), slow_but(*FEW, among=CASES))
def test_outputs_collections_and_gradients_are_the_same(family, role):
    """BatchNorm's statistics, dropout's mask and u of spectral norms are not moved by the second pass."""
    found = []
    for remat in (False, True):
        apply, params, x = applied(family, role, "float32", remat=remat)
        grad = jax.jit(jax.grad(loss_of(apply), argnums=(0, 1), has_aux=True), compiler_options=QUICKLY)
        found.append(grad(params, x))
    for (path, a), b in zip(
        jax.tree_util.tree_leaves_with_path(found[0]), jax.tree.leaves(found[1]), strict=True
    ):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5 * np.abs(a).max(), err_msg=str(path))


@pytest.mark.parametrize("name", slow_but("wgan_gp", among=STEPS))
def test_steps_are_the_same(name):
    algorithm = VARIANTS[name]()
    batches = jax.tree.map(lambda x: x[0], steps_of(algorithm))
    state = first_state(name)
    low = dataclasses.replace(algorithm, execution=Execution(remat=True))
    steps = [jax.jit(a.step, compiler_options=QUICKLY) for a in (algorithm, low)]
    (one_state, one_metrics), (other, metrics) = (step(state, batches) for step in steps)
    without_key = lambda s: jax.tree.leaves(s.replace(key=None))
    for a, b in zip(without_key(one_state), without_key(other), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-6)
    assert metrics.keys() == one_metrics.keys()
    for key in metrics:
        np.testing.assert_allclose(metrics[key], one_metrics[key], rtol=1e-4, atol=1e-6)


def products(family, remat):
    """How many convolutions the gradient of a discriminator takes."""
    apply, params, x = applied(family, "discriminator", "float32", remat=remat)
    program = jax.make_jaxpr(jax.grad(lambda p, x: jnp.sum(apply(p, x)[0])))(params, x)
    return sum(eqn.primitive.name == "conv_general_dilated" for _, eqn in equations(program.jaxpr))


def test_only_residual_blocks_compute_convolutions_again():
    """One 3x3 convolution in each of two blocks, and the three that attention's products need."""
    assert products("dcgan", True) == products("dcgan", False)
    assert products("resnet", True) > products("resnet", False)


def temporary_of(compiled: Any) -> int:
    """Bytes that the program needs beside its arguments and results."""
    return compiled.memory_analysis().temp_size_in_bytes


def temporary_bytes(network, remat):
    x = jax.ShapeDtypeStruct((16, 32, 32, 3), jnp.float32)
    shapes = dict(jax.eval_shape(lambda x: network.init(jax.random.key(0), x, None, False), x))
    params = shapes.pop("params")

    def loss(params, stats, x):
        key = jax.random.key(1)
        return apply_network(network, params, stats, x, None, key=key, train=True, remat=remat)[0].sum()

    lowered = jax.jit(jax.grad(loss)).lower(params, shapes, x)
    compiled = lowered.compile(compiler_options=compiler.options("cpu"))
    return temporary_of(compiled)


def test_a_deep_network_needs_less_memory():
    """Twelve residual blocks keep 12 arrays of 1 MiB instead of 48."""
    network = MODELS["resnet_discriminator"](widths=(16,) * 12, downsamplings=0, spectral_norm=False)
    assert temporary_bytes(network, True) < 0.5 * temporary_bytes(network, False)


def test_the_train_step_needs_less_memory():
    """`config.execution.remat` reaches the networks and the compiler."""
    temporary = []
    for remat in (False, True):
        config = config_with(
            generator=dict(name="mlp_generator", widths=(4,)),
            discriminator=dict(
                name="resnet_discriminator", widths=(16,) * 8, downsamplings=0, spectral_norm=False
            ),
            execution=dict(remat=remat),
        )
        algorithm = build_algorithm(config, SPEC)
        mesh = one_device()
        batch = {"image": jax.ShapeDtypeStruct((64, *SPEC.image_shape), jnp.float32)}
        items = jax.tree.map(lambda x: jax.ShapeDtypeStruct((1, 1, *x.shape), x.dtype), batch)
        call: Any = parallel.compile_step(algorithm, lambda constants, item, key: item, mesh, 1)
        state = parallel.abstract_state(algorithm, batch, mesh)
        compiled = call.lower(state, {}, items, jax.ShapeDtypeStruct((), jnp.int32)).compile()
        temporary.append(temporary_of(compiled))
    assert temporary[1] < 0.6 * temporary[0]
