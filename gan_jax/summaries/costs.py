"""What a method costs, from shapes alone: parameters, bytes of its state, floating-point operations.

Operations are those that XLA counts in the program for an accelerator before it is compiled: two for a
multiplication and its addition, one for any other arithmetic, none for exp, tanh and their like. What a loop
does counts as often as it does it, which XLA does not know before it compiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import jaxpr_as_fun

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


def call_flops(algorithm: Algorithm, state: TrainState, batch: PyTree, role: Role) -> float:
    """Of one call of a player's networks, with one example, not in training.

    Args:
        state, batch: shapes; of the batch the first example.
    """
    network = algorithm.networks[role]

    def call(player: Player, batch: Batch) -> PyTree:
        inputs = algorithm.examples(jax.tree.map(lambda x: x[:1], batch))[role]
        key = jax.random.key(0)
        return algorithm.apply(network, player.params, player.stats, *inputs, key=key, train=False)[0]

    return flops(call, state.players[role], batch)


def step_flops(
    algorithm: Algorithm, state: TrainState, batch: PyTree, frozen: Mapping[str, PyTree] = _NOTHING
) -> StepFlops:
    """Of a train step on mini-batches like `batch`, but a run's first.

    Args:
        state, batch, frozen: shapes.
    """
    state = state.replace(frozen=dict(frozen))
    lead = algorithm.minibatches
    batches = jax.tree.map(lambda x: jax.ShapeDtypeStruct((lead, *x.shape), x.dtype), batch)
    most = mean = flops(algorithm.step, state, batches) - flops(algorithm.begin, state, batches)
    times = 2 if isinstance(algorithm.game, Extragradient) else 1
    for update in algorithm.updates():
        if update.every > 1:

            def due(state: TrainState, batches: Batch, update: Any = update) -> PyTree:
                prepared = algorithm.prepare(batches, state)
                seen = jax.tree.map(lambda x: x[update.batch], prepared)
                return compute_gradients(update, state, seen, state.key, None).grads

            mean -= times * update.repeat * (1 - 1 / update.every) * flops(due, state, batches)
    return StepFlops(most, mean)


def shapes_of(tree: PyTree) -> PyTree:
    """The shapes and dtypes of a tree of arrays."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(jnp.shape(x), x.dtype), tree)


def flops(function: Callable[..., PyTree], *shapes: PyTree) -> float:
    """Of one call of a function, with arguments of these shapes."""
    return _counted(function, *shapes)[1]


def _counted(function: Callable[..., PyTree], *shapes: PyTree) -> tuple[float, float]:
    """As XLA counts it, with the body of every loop once; and as often as the loops run."""
    traced = jax.jit(function).trace(*shapes)
    found: Any = traced.lower(lowering_platforms=(_PLATFORM,)).cost_analysis()
    once = whole = float(found["flops"])
    for length, body in _loops(traced.jaxpr.jaxpr):
        arguments = (jax.ShapeDtypeStruct(x.shape, x.dtype) for x in body.in_avals)
        own, all_of_it = _counted(jaxpr_as_fun(body), *arguments)
        whole += length * all_of_it - own
    return once, whole


def _loops(jaxpr: Any) -> Iterator[tuple[int, Any]]:
    """The loops of a traced function, but those in loops: how often each runs, and its body."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "scan":
            yield equation.params["length"], equation.params["jaxpr"]
            continue
        platforms = equation.params.get("branches_platforms")
        for name, value in equation.params.items():
            parts = value if isinstance(value, tuple | list) else (value,)
            if name == "branches" and platforms is not None:
                parts = [parts[platforms.index(None)]]  # what an accelerator runs
            for part in parts:
                inner = getattr(part, "jaxpr", part)
                if hasattr(inner, "eqns"):
                    yield from _loops(inner)
