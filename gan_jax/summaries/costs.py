"""What a method costs, from shapes alone: parameters, bytes of its state, floating-point operations.

Operations are those that XLA counts in the program for an accelerator before it is compiled: two for a
multiplication and its addition, one for any other arithmetic, none for exp, tanh and their like.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.core.algorithm import Algorithm
from gan_jax.core.games import Extragradient
from gan_jax.core.state import Player, Role, TrainState
from gan_jax.core.update import Batch, compute_gradients
from gan_jax.utils.tree import PyTree, tree_bytes

_PLATFORM = "cuda"  # its program needs no such device to be counted
_NOTHING: Mapping[str, PyTree] = MappingProxyType({})


@dataclass(frozen=True)
class StepFlops:
    """Of a train step.

    Attributes:
        most: where all updates are due, optimizers and averages with them.
        mean: over many steps, lazy updates as often as they are due.
    """

    most: float
    mean: float


def parameter_counts(player: Player) -> tuple[int, int]:
    """Of a player's networks: numbers that are trained, and statistics that move with them."""
    count = lambda tree: sum(x.size for x in jax.tree.leaves(tree))
    return count(player.params), count(player.stats)


def state_bytes(state: TrainState) -> dict[str, int]:
    """Bytes of the parts of a state, arrays or shapes, by what they are."""
    players = state.players.values()
    return {
        "parameters": tree_bytes([player.params for player in players]),
        "statistics": tree_bytes([player.stats for player in players]),
        "optimizers": tree_bytes([player.opt for player in players]),
        "the averaged generator": tree_bytes(state.ema),
        "the method's own": tree_bytes(state.extra),
        "frozen networks": tree_bytes(state.frozen),
    }


def call_flops(algorithm: Algorithm, state: TrainState, batch: Batch, role: Role) -> float:
    """Of one call of a player's networks, with one example, not in training.

    Args:
        state, batch: shapes; of the batch the first example.
    """
    network = algorithm.networks[role]

    def call(player: Player, batch: Batch) -> PyTree:
        inputs = algorithm.examples(jax.tree.map(lambda x: x[:1], batch))[role]
        key = jax.random.key(0)
        return algorithm.apply(network, player.params, player.stats, *inputs, key=key, train=False)[0]

    return _flops(call, state.players[role], batch)


def step_flops(
    algorithm: Algorithm, state: TrainState, batch: Batch, frozen: Mapping[str, PyTree] = _NOTHING
) -> StepFlops:
    """Of a train step on mini-batches like `batch`.

    Args:
        state, batch, frozen: shapes.
    """
    whole = dataclasses.replace(algorithm.execution, accumulation=1)  # a loop over parts would count once
    algorithm = dataclasses.replace(algorithm, execution=whole)
    state = state.replace(frozen=dict(frozen))
    lead = algorithm.minibatches
    batches = jax.tree.map(lambda x: jax.ShapeDtypeStruct((lead, *x.shape), x.dtype), batch)
    most = mean = _flops(algorithm.step, state, batches)
    times = 2 if isinstance(algorithm.game, Extragradient) else 1
    for update in algorithm.updates():
        if update.every > 1:

            def due(state: TrainState, batches: Batch, update: Any = update) -> PyTree:
                prepared = algorithm.prepare(batches, state)
                seen = jax.tree.map(lambda x: x[update.batch], prepared)
                return compute_gradients(update, state, seen, state.key, None).grads

            mean -= times * update.repeat * (1 - 1 / update.every) * _flops(due, state, batches)
    return StepFlops(most, mean)


def shapes_of(tree: PyTree) -> PyTree:
    """The shapes and dtypes of a tree of arrays."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(jnp.shape(x), x.dtype), tree)


def _flops(function: Callable[..., PyTree], *shapes: PyTree) -> float:
    lowered = jax.jit(function).trace(*shapes).lower(lowering_platforms=(_PLATFORM,))
    counted: Any = lowered.cost_analysis()
    return float(counted["flops"])
