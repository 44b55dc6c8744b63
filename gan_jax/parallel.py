"""Everything that knows about devices: the mesh, placement, and the ways to run a step.

`compile_step` is the production path: `jit` over a mesh, the batch split over all devices, the state
replicated, global-batch semantics. `pmap_step` and `shard_map_step` run the same `Algorithm.step` and give
the same numbers, and so does `compile_runs`, which trains many independent runs in one program.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from gan_jax.algorithm import Algorithm, Batch, Metrics
from gan_jax.errors import UserError
from gan_jax.noise import INPUT
from gan_jax.state import PyTree, TrainState

Array = jax.Array
Step = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]
# (state, constants, items, count) -> (state, metrics [steps_per_call])
Call = Callable[[TrainState, PyTree, PyTree, Array], tuple[TrainState, Metrics]]
# (states, numbers, constants, items, count) -> (states, metrics [R, steps_per_call]), for R runs
RunsCall = Callable[[TrainState, PyTree, PyTree, PyTree, Array], tuple[TrainState, Metrics]]
# (constants, item, key of the step) -> batches of the step
Fetch = Callable[[PyTree, PyTree, Array], Batch]

AXIS = "batch"


def make_mesh(devices: list[jax.Device] | None = None) -> Mesh:
    """A one-dimensional mesh over `devices` (default: all)."""
    found = jax.devices() if devices is None else devices
    return Mesh(np.array(found), (AXIS,), axis_types=(AxisType.Auto,))


def mesh_of_at_most(count: int) -> Mesh:
    """A mesh over the first `count` devices, or over all where there are fewer."""
    return make_mesh(jax.devices()[:count])


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


def check_batch(batch_size: int, mesh: Mesh) -> None:
    """Raises a UserError if the devices do not divide the batch."""
    if batch_size % mesh.size:
        below, above = batch_size // mesh.size * mesh.size, -(-batch_size // mesh.size) * mesh.size
        choices = f"{below} or {above}" if below else f"{above}"
        raise UserError(
            f"batch_size={batch_size} cannot be split over {mesh.size} devices: "
            f"set --config.batch_size={choices}, or run on fewer devices"
        )


def replicated(mesh: Mesh) -> NamedSharding:
    """A whole copy on every device."""
    return NamedSharding(mesh, PartitionSpec())


def split_on(mesh: Mesh, dimension: int) -> NamedSharding:
    """Split over the devices along `dimension`."""
    return NamedSharding(mesh, PartitionSpec(*[None] * dimension, AXIS))


def initial_state(algorithm: Algorithm, key: Array, batch: PyTree, mesh: Mesh) -> TrainState:
    """A fresh state on every device; `batch` is one mini-batch of arrays or of shapes."""
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), batch)
    return jax.jit(algorithm.init, out_shardings=replicated(mesh))(key, zeros)


def abstract_state(algorithm: Algorithm, batch: PyTree, mesh: Mesh) -> TrainState:
    """The shapes, dtypes and placement of a state, with no arrays."""
    state = jax.eval_shape(algorithm.init, jax.random.key(0), batch)
    sharding = replicated(mesh)
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), state)


def compile_step(algorithm: Algorithm, fetch: Fetch, mesh: Mesh, steps_per_call: int) -> Call:
    """Up to `steps_per_call` train steps as one compiled call.

    The number of steps is an argument of the call, so one program serves every interval of the
    loop, and the bits never depend on how the steps were grouped.

    Args:
        fetch: makes a step's batches, leaves [minibatches, B, ...], inside the program.

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
    return jax.jit(
        several_steps(algorithm, fetch, steps_per_call),
        donate_argnums=0,
        in_shardings=(whole, whole, split_on(mesh, 2), whole),
        out_shardings=whole,
    )


def several_steps(algorithm: Algorithm, fetch: Fetch, steps_per_call: int) -> Call:
    """The call of `compile_step`, not compiled."""

    def one(state: TrainState, constants: PyTree, items: PyTree, index: Array) -> tuple[TrainState, Metrics]:
        item = jax.tree.map(lambda x: x[index], items)
        key = jax.random.fold_in(jax.random.fold_in(state.key, state.step), INPUT)
        return algorithm.step(state, fetch(constants, item, key))

    def call(state: TrainState, constants: PyTree, items: PyTree, count: Array) -> tuple[TrainState, Metrics]:
        shapes = jax.eval_shape(one, state, constants, items, jnp.int32(0))[1]
        metrics = jax.tree.map(lambda x: jnp.full((steps_per_call, *x.shape), jnp.nan, x.dtype), shapes)

        def body(index: Array, carry: tuple[TrainState, Metrics]) -> tuple[TrainState, Metrics]:
            state, metrics = carry
            state, new = one(state, constants, items, index)
            return state, jax.tree.map(lambda all_, x: all_.at[index].set(x), metrics, new)

        return jax.lax.fori_loop(0, count, body, (state, metrics))

    return call


def place(tree: PyTree, sharding: NamedSharding) -> PyTree:
    """Host arrays onto the devices."""
    return jax.tree.map(lambda x: jax.device_put(x, sharding), tree)


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


def many_runs_at_once() -> Literal["map", "vmap"]:
    """How `compile_runs` is best told to train the runs that a device holds.

    On a CPU one after the other is as fast as side by side, and every run has the bits that it has alone.
    """
    return "map" if platform() == "cpu" else "vmap"


def compile_runs(
    algorithm_of: Callable[[PyTree], Algorithm],
    fetch: Fetch,
    mesh: Mesh,
    steps_per_call: int,
    how: Literal["map", "vmap"],
) -> RunsCall:
    """Up to `steps_per_call` train steps of many independent runs as one compiled call.

    The runs are split over the devices; no device sees more than its own. They differ in their keys, their
    batches and in numbers that `algorithm_of` is given.

    Args:
        algorithm_of: one run's numbers, scalars -> its algorithm; called while the program is traced.
        fetch: as for `compile_step`.
        how: "vmap" trains a device's runs side by side, "map" one after the other in one program.

    Returns:
        call(states, numbers, constants, items, count): leaves of `states`, `numbers` and `items` begin with
        the runs [R], a multiple of the devices; but for `states.step`, which is []: a step of each run's
        own would turn the `cond` of lazy updates into a `select`, and they would never be lazy. The states
        are donated. Metrics are float32 [R, steps_per_call], NaN beyond `count`.
    """

    def one(
        state: TrainState, step: Array, numbers: PyTree, constants: PyTree, items: PyTree, count: Array
    ) -> tuple[TrainState, Metrics]:
        call = several_steps(algorithm_of(numbers), fetch, steps_per_call)
        state, metrics = call(state.replace(step=step), constants, items, count)
        return state.replace(step=None), metrics

    def call(
        states: TrainState, numbers: PyTree, constants: PyTree, items: PyTree, count: Array
    ) -> tuple[TrainState, Metrics]:
        step, states = states.step, states.replace(step=None)
        if how == "vmap":
            run = jax.vmap(one, in_axes=(0, None, 0, None, 0, None))
            states, metrics = run(states, step, numbers, constants, items, count)
        else:
            states, metrics = jax.lax.map(
                lambda run: one(run[0], step, run[1], constants, run[2], count), (states, numbers, items)
            )
        return states.replace(step=step + count), metrics

    runs, whole = PartitionSpec(AXIS), PartitionSpec()
    state_specs = _RUNS.replace(step=whole)
    mapped = jax.shard_map(
        call,
        mesh=mesh,
        in_specs=(state_specs, runs, whole, runs, whole),
        out_specs=(state_specs, runs),
        check_vma=False,  # nothing is summed over the devices
    )
    return jax.jit(mapped, donate_argnums=0)


def initial_runs(algorithm: Algorithm, keys: Array, batch: PyTree, mesh: Mesh) -> TrainState:
    """Fresh states of independent runs with these keys [R], for `compile_runs`; `batch` is one mini-batch."""
    return jax.jit(_init_runs(algorithm, batch), out_shardings=runs_shardings(mesh))(keys)


def abstract_runs(algorithm: Algorithm, count: int, batch: PyTree, mesh: Mesh) -> TrainState:
    """The shapes, dtypes and placement of `count` states as `initial_runs` makes them."""
    states = jax.eval_shape(_init_runs(algorithm, batch), jax.random.split(jax.random.key(0), count))

    def placed(sharding: NamedSharding, part: PyTree) -> PyTree:
        return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), part)

    return jax.tree.map(placed, runs_shardings(mesh), states)


def _init_runs(algorithm: Algorithm, batch: PyTree) -> Callable[[Array], TrainState]:
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), batch)

    def init(keys: Array) -> TrainState:
        states = jax.lax.map(lambda key: algorithm.init(key, zeros), keys)
        return states.replace(step=jnp.zeros((), jnp.int32))

    return init


def runs_shardings(mesh: Mesh) -> Any:
    """Where the states of many runs lie: a sharding for each part of a TrainState."""
    return jax.tree.map(lambda _: split_on(mesh, 0), _RUNS).replace(step=replicated(mesh))


# Where the leaves of each part of a TrainState lie.
_PARTS: dict[str, Any] = {part.name: PartitionSpec(AXIS) for part in dataclasses.fields(TrainState)}
_RUNS: Any = TrainState(**_PARTS)
