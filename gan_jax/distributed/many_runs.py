"""Many independent runs in one compiled program, each with the numbers it has alone.

They are split over the devices; no device sees more than its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gan_jax.core.algorithm import Algorithm, Metrics
from gan_jax.core.state import TrainState
from gan_jax.distributed.parallel import AXIS, Fetch, platform, replicated, several_steps, split_on
from gan_jax.utils import compiler
from gan_jax.utils.tree import PyTree

Array = jax.Array
# (states, numbers, constants, items, count) -> (states, metrics [R, steps_per_call]), for R runs
RunsCall = Callable[[TrainState, PyTree, PyTree, PyTree, Array], tuple[TrainState, Metrics]]


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
        own would turn the `cond` of lazy updates into a `select`, and they would never be lazy; and for
        `states.frozen`, which all runs share. The states are donated. Metrics are float32
        [R, steps_per_call], NaN beyond `count`.
    """

    def run_steps(
        state: TrainState, shared: PyTree, numbers: PyTree, constants: PyTree, items: PyTree, count: Array
    ) -> tuple[TrainState, Metrics]:
        call = several_steps(algorithm_of(numbers), fetch, steps_per_call)
        state, metrics = call(state.replace(**shared), constants, items, count)
        return state.replace(**_SHARED), metrics

    def call(
        states: TrainState, numbers: PyTree, constants: PyTree, items: PyTree, count: Array
    ) -> tuple[TrainState, Metrics]:
        shared, states = {name: getattr(states, name) for name in _SHARED}, states.replace(**_SHARED)
        if how == "vmap":
            run = jax.vmap(run_steps, in_axes=(0, None, 0, None, 0, None))
            states, metrics = run(states, shared, numbers, constants, items, count)
        else:
            states, metrics = jax.lax.map(
                lambda run: run_steps(run[0], shared, run[1], constants, run[2], count),
                (states, numbers, items),
            )
        return states.replace(step=shared["step"] + count, frozen=shared["frozen"]), metrics

    runs, whole = PartitionSpec(AXIS), PartitionSpec()
    state_specs = _RUNS.replace(step=whole, frozen=whole)
    mapped = jax.shard_map(
        call,
        mesh=mesh,
        in_specs=(state_specs, runs, whole, runs, whole),
        out_specs=(state_specs, runs),
        check_vma=False,  # nothing is summed over the devices
    )
    return jax.jit(mapped, donate_argnums=0, compiler_options=compiler.options(mesh.devices.flat[0].platform))


def enter_runs(
    algorithm_of: Callable[[PyTree], Algorithm], mesh: Mesh
) -> Callable[[TrainState, PyTree], TrainState]:
    """`Algorithm.enter` of many runs, compiled: (states, numbers) as for `compile_runs` -> states."""

    def enter_run(state: TrainState, shared: PyTree, numbers: PyTree) -> TrainState:
        return algorithm_of(numbers).enter(state.replace(**shared)).replace(**_SHARED)

    def enter(states: TrainState, numbers: PyTree) -> TrainState:
        shared, states = {name: getattr(states, name) for name in _SHARED}, states.replace(**_SHARED)
        states = jax.lax.map(lambda run: enter_run(run[0], shared, run[1]), (states, numbers))
        return states.replace(**shared)

    runs, whole = PartitionSpec(AXIS), PartitionSpec()
    specs = _RUNS.replace(step=whole, frozen=whole)
    mapped = jax.shard_map(enter, mesh=mesh, in_specs=(specs, runs), out_specs=specs, check_vma=False)
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
    return jax.tree.map(lambda _: split_on(mesh, 0), _RUNS).replace(
        step=replicated(mesh), frozen=replicated(mesh)
    )


# The parts of a TrainState that all runs share, and what stands for them in the state of one run.
_SHARED: dict[str, Any] = {"step": None, "frozen": ()}
# Where the leaves of each part of a TrainState lie.
_PARTS: dict[str, Any] = {part.name: PartitionSpec(AXIS) for part in dataclasses.fields(TrainState)}
_RUNS: Any = TrainState(**_PARTS)
