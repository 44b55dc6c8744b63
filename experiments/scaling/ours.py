"""What the package's own train step computes: its shipped configs, traced and counted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from experiments.scaling.counting import Operation, operations, total
from gan_jax.config.build import build_algorithm, example_batch
from gan_jax.config.config_file import run_config_file
from gan_jax.core.algorithm import Algorithm, apply_network
from gan_jax.core.state import TrainState
from gan_jax.core.update import Role
from gan_jax.data.spec import DataSpec, Field

CONFIGS = Path(__file__).parents[2] / "configs"
# The config, the images, and the components whose widths are left to the constructors' defaults, which are
# the paper's.
WORKS: dict[str, tuple[str, tuple[int, int, int], tuple[str, ...]]] = {
    "dcgan28": ("dcgan_fashion_mnist", (28, 28, 1), ()),
    "dcgan64": ("dcgan_radford_64", (64, 64, 3), ()),
    "sngan32": ("sngan_mnist", (32, 32, 3), ("generator", "discriminator")),
}


@dataclass(frozen=True)
class Sizes:
    """Numbers of parameters, and what a train step adds up over the devices.

    Attributes:
        generator: parameters.
        discriminator: likewise.
        generator_gradient: numbers in its gradient as the devices add it up: more than parameters where a
            kernel is in one with a resampling (`exchanged`).
        discriminator_gradient: likewise.
        generator_norms: channels of each BatchNorm.
        discriminator_norms: likewise.
        discriminator_steps: updates of the discriminator in a step.
    """

    generator: int
    discriminator: int
    generator_gradient: int
    discriminator_gradient: int
    generator_norms: tuple[int, ...]
    discriminator_norms: tuple[int, ...]
    discriminator_steps: int


@dataclass(frozen=True)
class Count:
    """What a train step computes; flops and kept elements are of one image.

    Attributes:
        generator_kept: elements of the inputs of all convolutions and products, about what a backward
            pass needs.
    """

    sizes: Sizes
    operations: list[Operation]
    generator_flops: float
    discriminator_flops: float
    generator_kept: float
    discriminator_kept: float


def algorithm_of(name: str) -> tuple[Algorithm, DataSpec]:
    """The networks, losses and optimizers of a work."""
    file, shape, default = WORKS[name]
    config = run_config_file(str(CONFIGS / f"{file}.py"))
    with config.unlocked():
        for component in default:
            del config[component]["widths"]
    spec = DataSpec({"image": Field(shape)}, None)
    return build_algorithm(config, spec), spec


def sizes(algorithm: Algorithm, spec: DataSpec) -> Sizes:
    """Of a method's players."""
    state = first_state(algorithm, spec)
    return Sizes(
        generator=_size(state.generator.params),
        discriminator=_size(state.discriminator.params),
        generator_gradient=exchanged(
            state.generator.params, forward_operations(algorithm, spec, "generator")
        ),
        discriminator_gradient=exchanged(
            state.discriminator.params, forward_operations(algorithm, spec, "discriminator")
        ),
        generator_norms=batch_norms(state.generator.stats),
        discriminator_norms=batch_norms(state.discriminator.stats),
        discriminator_steps=algorithm.minibatches,
    )


def exchanged(params: Any, forward: list[Operation]) -> int:
    """Numbers in a player's gradient, its convolutions' kernels with the taps that the compiler sees.

    The devices add up what comes out of the convolution that is the kernel's gradient. Of a 3x3 kernel in one
    with a resampling (`gan_jax.models.layers.resample`) that is the gradient of 16 taps, of which every
    device then makes that of the 9.

    Args:
        forward: of the player's forward pass. What of a convolution there does not grow with the batch is
            its kernel.
    """
    kernels = sum(operation.times * operation.elements[0] for operation in forward if operation.convolution)
    others = sum(leaf.size for leaf in jax.tree.leaves(params) if leaf.ndim != 4)
    return round(kernels) + others


def first_state(algorithm: Algorithm, spec: DataSpec) -> TrainState:
    """The shapes of a state."""
    return jax.eval_shape(algorithm.init, jax.random.key(0), example_batch(spec, 2))


def step_operations(algorithm: Algorithm, spec: DataSpec) -> list[Operation]:
    """The convolutions and products of a train step."""
    state = first_state(algorithm, spec)

    def inputs(size: int) -> tuple[Any, Any]:
        shape = (algorithm.minibatches, size, *spec.image_shape)
        return state, {"image": jax.ShapeDtypeStruct(shape, jnp.float32)}

    return operations(algorithm.step, inputs)


def forward_operations(algorithm: Algorithm, spec: DataSpec, role: Role) -> list[Operation]:
    """The convolutions and products of one player's forward pass while it trains."""
    player = getattr(first_state(algorithm, spec), role)
    shape = (algorithm.input_size,) if role == "generator" else spec.image_shape
    inputs = partial(_network_inputs, player.params, player.stats, shape)
    return operations(partial(_forward, getattr(algorithm, role)), inputs)


def count(name: str) -> Count:
    """Traces a step and a forward pass of each network."""
    algorithm, spec = algorithm_of(name)
    generator = forward_operations(algorithm, spec, "generator")
    discriminator = forward_operations(algorithm, spec, "discriminator")
    return Count(
        sizes=sizes(algorithm, spec),
        operations=step_operations(algorithm, spec),
        generator_flops=total(generator, 1.0)[0],
        discriminator_flops=total(discriminator, 1.0)[0],
        generator_kept=_kept(generator),
        discriminator_kept=_kept(discriminator),
    )


def _forward(module: nn.Module, params: Any, stats: Any, x: jax.Array) -> Any:
    return apply_network(module, params, stats, x, None, key=jax.random.key(0), train=True)[0]


def _network_inputs(params: Any, stats: Any, shape: tuple[int, ...], size: int) -> tuple[Any, Any, Any]:
    return params, stats, jax.ShapeDtypeStruct((size, *shape), jnp.float32)


def _kept(found: list[Operation]) -> float:
    # Inputs and outputs, of which there are about as many.
    return sum(operation.elements[1] for operation in found) / 2


def _size(tree: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def batch_norms(stats: Any) -> tuple[int, ...]:
    """Channels of each BatchNorm among a player's collections."""
    paths = jax.tree_util.tree_leaves_with_path(stats)
    return tuple(leaf.size for path, leaf in paths if jax.tree_util.keystr(path[-1:]) == "['mean']")
