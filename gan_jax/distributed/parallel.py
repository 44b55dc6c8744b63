"""Everything that knows about devices: the mesh, placement, and the ways to run a step.

`compile_step` is the production path: `jit` over a mesh, the batch split over all devices, the state
replicated, global-batch semantics. `pmap_step` and `shard_map_step` run the same `Algorithm.step` and give
the same numbers; `many_runs` trains many independent runs in one program.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from gan_jax.core import draws
from gan_jax.core.algorithm import Algorithm, Batch, Metrics
from gan_jax.core.execution import Sharding
from gan_jax.core.launches import are_costly, on
from gan_jax.core.loop import repeat_step
from gan_jax.core.randomness import INPUT
from gan_jax.core.state import TrainState
from gan_jax.distributed.sharding import SplitGame, lay_out, split_tree
from gan_jax.models.layers.conv_cpu import batch_split_over, split_over
from gan_jax.utils import compiler
from gan_jax.utils.errors import UserError
from gan_jax.utils.tree import PyTree, tree_bytes

Array = jax.Array
Step = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]
# (state, constants, items, count) -> (state, metrics [steps_per_call])
Call = Callable[[TrainState, PyTree, PyTree, Array], tuple[TrainState, Metrics]]
# (constants, item, key of the step) -> batches of the step
Fetch = Callable[[PyTree, PyTree, Array], Batch]

AXIS = "batch"
_TRIED = 8  # batch sizes, until one fits
_MORE = "A processor counts as one, or as N with the environment variable JAX_NUM_CPU_DEVICES=N"


def make_mesh(devices: list[jax.Device] | None = None) -> Mesh:
    """A one-dimensional mesh over `devices` (default: all, those of one process beside each other)."""
    found = sorted(jax.devices(), key=lambda x: (x.process_index, x.id)) if devices is None else devices
    return Mesh(np.array(found), (AXIS,), axis_types=(AxisType.Auto,))


def mesh_of_at_most(count: int) -> Mesh:
    """A mesh over the first `count` devices of this process, or over all where there are fewer."""
    return make_mesh(jax.local_devices()[:count])


def training_mesh(devices: int = 0) -> Mesh:
    """A mesh over this many devices of every process; 0 is all of them.

    Raises:
        UserError: there are not so many, or the processes have different numbers of them.
    """
    hosts: dict[int, list[jax.Device]] = {}
    for device in make_mesh().devices.flat:
        hosts.setdefault(device.process_index, []).append(device)
    counts = {len(found) for found in hosts.values()}
    each = f" on each of {len(hosts)} hosts" if len(hosts) > 1 else ""
    if not devices and len(counts) > 1:
        raise UserError(
            f"the hosts have different numbers of devices ({', '.join(map(str, sorted(counts)))}), and the "
            f"batch is split evenly: set devices={min(counts)}"
        )
    most = min(counts)
    if not 0 <= devices <= most:
        more = f". {_MORE}" if platform() == "cpu" else ""
        raise UserError(
            f"devices={devices}: there {'are' if most > 1 else 'is'} {most} {platform()} "
            f"device{'s' if most > 1 else ''}{each}; choose 1 to {most}, or 0 for all{more}"
        )
    return make_mesh([device for found in hosts.values() for device in found[: devices or None]])


def use_all_cores() -> None:
    """Makes every core of a CPU a device of its own: independent runs need no other's help.

    It does nothing where the number of devices is chosen already.
    """
    chosen = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if chosen or jax.config.values["jax_num_cpu_devices"] > 0:
        return
    try:
        jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)))
    except RuntimeError:
        return  # the devices are in use already: this is no process of its own


def local_devices() -> list[jax.Device]:
    """The devices of this process."""
    return jax.local_devices()


def platform() -> str:
    """What kind of devices these are: "cpu", "gpu" or "tpu"; their roundings differ."""
    return jax.devices()[0].platform


def check_batch(
    batch_size: int,
    mesh: Mesh,
    parts: int = 1,
    *,
    most: int | None = None,
    fits: Callable[[int], bool] = lambda size: True,
) -> None:
    """Raises a UserError if the devices do not divide the batch, or each of its `parts` (accumulation).

    Args:
        most: examples in the data set; None where that is no bound.
        fits: whether a size is all right in every other way; what is advised is.
    """
    step = mesh.size * parts
    if batch_size % step == 0 and (most is None or batch_size <= most):
        return
    start = (batch_size if most is None else min(batch_size, most)) // step * step
    end = 2 * max(batch_size, step) if most is None else most
    below = next(filter(fits, itertools.islice(range(start, 0, -step), _TRIED)), None)
    above = next(filter(fits, itertools.islice(range(start + step, end + 1, step), _TRIED)), None)
    choices = " or ".join(str(size) for size in (below, above) if size is not None)
    hosts = len({device.process_index for device in mesh.devices.flat})
    where = f"{mesh.size} devices" + (f" of {hosts} hosts" if hosts > 1 else "")
    where += f" in {parts} parts each (execution.accumulation={parts})" if parts > 1 else ""
    problem = f"cannot be split over {where}"
    if most is not None and batch_size > most:
        problem = f"is more than the {most} examples of the data set"
        problem += f", and it must be split over {where}" if step > 1 else ""
    advice = f"set batch_size={choices}" if choices else f"no batch size fits {where} and the other options"
    fewer = ", or run on fewer devices" if mesh.size > 1 else ""
    raise UserError(f"batch_size={batch_size} {problem}: {advice}{fewer}")


def replicated(mesh: Mesh) -> NamedSharding:
    """A whole copy on every device."""
    return NamedSharding(mesh, PartitionSpec())


def split_on(mesh: Mesh, dimension: int) -> NamedSharding:
    """Split over the devices along `dimension`."""
    return NamedSharding(mesh, PartitionSpec(*[None] * dimension, AXIS))


def initial_state(
    algorithm: Algorithm, key: Array, batch: PyTree, mesh: Mesh, sharding: Sharding = "replicated"
) -> TrainState:
    """A fresh state on the devices; `batch` is one mini-batch of arrays or of shapes."""
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), batch)
    shapes = jax.eval_shape(algorithm.init_once, key, zeros)
    return jax.jit(algorithm.init_once, out_shardings=state_shardings(shapes, mesh, sharding))(key, zeros)


def abstract_state(
    algorithm: Algorithm, batch: PyTree, mesh: Mesh, sharding: Sharding = "replicated"
) -> TrainState:
    """The shapes, dtypes and placement of a state, with no arrays."""
    state = jax.eval_shape(algorithm.init_once, jax.random.key(0), batch)
    return jax.tree.map(
        lambda x, at: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=at),
        state,
        state_shardings(state, mesh, sharding),
    )


def place_frozen(frozen: PyTree, mesh: Mesh, sharding: Sharding = "replicated") -> PyTree:
    """Pretrained constants, NumPy arrays, on the devices as `state.frozen`."""
    if sharding == "sharded":
        return jax.tree.map(jax.device_put, frozen, split_tree(frozen, mesh))
    return place(frozen, replicated(mesh))


def state_shardings(state: TrainState, mesh: Mesh, sharding: Sharding) -> TrainState:
    """Where the leaves of a state lie, a NamedSharding each; `state` may be arrays or shapes."""
    if sharding == "sharded":
        return split_tree(state, mesh)
    return jax.tree.map(lambda _: replicated(mesh), state)


def compile_step(
    algorithm: Algorithm,
    fetch: Fetch,
    mesh: Mesh,
    steps_per_call: int,
    sharding: Sharding = "replicated",
) -> Call:
    """Up to `steps_per_call` train steps as one compiled call; see `repeat_step`.

    Args:
        fetch: makes a step's batches, leaves [minibatches, B, ...], inside the program.
        sharding: as for the state that the call will be given; see `Execution`.

    Returns:
        call(state, constants, items, count): `constants` are arrays that every step may read (a data
        set on the device), `items` leaves are [steps_per_call, minibatches, B, ...], `count` int32
        [] says how many of them to run. The state is donated. Metrics are float32
        [steps_per_call], NaN beyond `count`.
    """
    if mesh.size > 1:
        # Without this GSPMD replicates what has no sharded input: every device would draw all fakes.
        batch = split_on(mesh, 0)
        algorithm = dataclasses.replace(algorithm, split=lambda x: jax.lax.with_sharding_constraint(x, batch))
    whole = replicated(mesh)
    lies: NamedSharding | None = whole
    kept = None
    if sharding == "sharded" and mesh.size > 1:
        algorithm = dataclasses.replace(algorithm, game=SplitGame(algorithm.game, mesh))
        # Which leaves are split depends on their shapes: they come as they lie, and go as `lay_out` says.
        lies, kept = None, partial(lay_out, mesh=mesh)
    several = several_steps(algorithm, fetch, steps_per_call, kept)
    platform = mesh.devices.flat[0].platform

    def call(state: TrainState, constants: PyTree, items: PyTree, count: Array) -> tuple[TrainState, Metrics]:
        with batch_split_over(mesh.size), on(platform):
            return several(state, constants, items, count)

    return jax.jit(
        call,
        donate_argnums=0,
        in_shardings=(lies, whole, split_on(mesh, 2), whole),
        out_shardings=(lies, whole),
        compiler_options=compiler.options(platform),
    )


def several_steps(
    algorithm: Algorithm,
    fetch: Fetch,
    steps_per_call: int,
    kept: Callable[[TrainState], TrainState] | None = None,
) -> Call:
    """The call of `compile_step`, not compiled; `kept` lays the state out after each step."""

    def step(state: TrainState, constants: PyTree, item: PyTree) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(jax.random.fold_in(state.key, state.step), INPUT)
        state, metrics = algorithm.step(state, fetch(constants, item, key))
        return kept(state) if kept else state, metrics

    def call(state: TrainState, constants: PyTree, items: PyTree, count: Array) -> tuple[TrainState, Metrics]:
        if are_costly():
            return _drawn_ahead(step, steps_per_call, state, constants, items, count)
        return repeat_step(step, steps_per_call)(state, constants, items, count)

    return call


def _drawn_ahead(
    step: Callable[..., tuple[TrainState, Metrics]],
    steps_per_call: int,
    state: TrainState,
    constants: PyTree,
    items: PyTree,
    count: Array,
) -> tuple[TrainState, Metrics]:
    """The call of `several_steps` with the draws of all its steps before the first; the same numbers."""
    item = jax.tree.map(lambda x: x[0], items)
    names = sorted(jax.eval_shape(step, state, constants, item)[1])

    def listed(state: TrainState, constants: PyTree, item: PyTree) -> tuple[TrainState, Array]:
        state, metrics = step(state, constants, item)
        return state, jnp.stack([metrics[name] for name in names])  # written in one kernel

    draw, rest = draws.ahead(
        listed,
        lambda state, *_: (state.key, state.step),
        state,
        constants,
        item,
        steps=steps_per_call,
        largest=draws.LARGEST // split_over(),  # every device may come to hold all of it
    )
    drawn = jax.vmap(draw, in_axes=(None, 0))(state.key, state.step + jnp.arange(steps_per_call))

    def drawn_step(state: TrainState, constants: PyTree, item: PyTree) -> tuple[TrainState, Metrics]:
        state, metrics = rest(item[0], state, constants, item[1])
        return state, {"all": metrics}

    state, metrics = repeat_step(drawn_step, steps_per_call)(state, constants, (drawn, items), count)
    return state, {name: metrics["all"][:, index] for index, name in enumerate(names)}


def place(tree: PyTree, sharding: NamedSharding) -> PyTree:
    """Host arrays onto the devices.

    Where the devices belong to several processes, number i of n gives the i-th of n equal shares of the
    dimension that is split, and the whole of what is replicated.
    """
    if sharding.is_fully_addressable:
        return jax.tree.map(lambda x: jax.device_put(x, sharding), tree)
    return jax.tree.map(lambda x: jax.make_array_from_process_local_data(sharding, np.asarray(x)), tree)


def gather_to_local_device(tree: PyTree) -> PyTree:
    """The arrays, whole, on one device of this process: for what a process does by itself.

    Where other processes hold parts of them, all must call this together. The arrays may share memory with
    the given ones, and must not outlive their donation.
    """
    device = jax.local_devices()[0]
    if not all(isinstance(x, np.ndarray) or x.is_fully_addressable for x in jax.tree.leaves(tree)):
        gathered = jax.tree.map(lambda leaf: replicated(leaf.sharding.mesh), tree)
        tree = jax.jit(lambda tree: tree, out_shardings=gathered)(tree)
        tree = jax.tree.map(lambda leaf: leaf.addressable_data(0), tree)
    return jax.device_put(tree, device)


def device_bytes(tree: PyTree) -> int:
    """Bytes of a tree's arrays on each device; shapes with shardings will do (keys count as their data)."""

    def held(leaf: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(leaf.sharding.shard_shape(leaf.shape), leaf.dtype)

    return tree_bytes(jax.tree.map(held, tree))


def pmap_step(algorithm: Algorithm) -> Step:
    """One step under `pmap`: state leaves [devices, ...], batches [devices, minibatches, B/devices, ...]."""
    return jax.pmap(algorithm.with_axis(AXIS).step, axis_name=AXIS, donate_argnums=0)


def shard_map_step(algorithm: Algorithm, mesh: Mesh) -> Step:
    """One step under `shard_map`: the state replicated, batches [minibatches, B, ...] split on B."""
    whole, split = PartitionSpec(), PartitionSpec(None, AXIS)
    mapped = jax.shard_map(
        algorithm.with_axis(AXIS).step, mesh=mesh, in_specs=(whole, split), out_specs=(whole, whole)
    )
    return jax.jit(mapped)
