"""One descent of one player: the piece that every game is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from gan_jax.core.accumulation import WHOLE, Microbatches, average, check_memories
from gan_jax.core.state import Player, Role, TrainState
from gan_jax.utils.checks import check_count
from gan_jax.utils.tree import PyTree

Array = jax.Array
Key = jax.Array
Batch = dict[str, Array]  # named fields [B, ...]: "image", "label" int32 [B] if there are any, ...
Metrics = dict[str, Array]  # float32 scalars


class LossOut(struct.PyTreeNode):
    """What a loss hands back besides its value; None leaves the state's own as it is."""

    metrics: Metrics
    stats: PyTree = None  # the updated player's new collections
    extra: dict[str, PyTree] = struct.field(default_factory=dict)  # changed entries of TrainState.extra


# (this player's params, state, mini-batch, key) -> (scalar to minimise, LossOut)
Loss = Callable[[PyTree, TrainState, Batch, Key], tuple[Array, LossOut]]


@dataclass(frozen=True)
class Update:
    """One descent of one player.

    Attributes:
        role: whose parameters move.
        loss: differentiated with respect to those parameters. It must not stop the gradient of the other
            player's: consensus optimisation and unrolling differentiate with respect to both.
        every: run only at steps divisible by this (lazy regularisation). The metrics of a lazy
            update are NaN at the other steps.
        repeat: descents in a row, each on a mini-batch of its own (n_critic, Goodfellow's k).
        batch: which of the step's mini-batches the first of them sees, so that two updates can see
            different ones.
    """

    role: Role
    loss: Loss
    every: int = 1
    repeat: int = 1
    batch: int = 0

    def __post_init__(self) -> None:
        check_count(self.every, "every")
        check_count(self.repeat, "repeat")
        if self.batch != 0:
            check_count(self.batch, "batch")


class Gradients(NamedTuple):
    """The gradient of an update's loss at some state, and what the loss handed back; equal on all devices."""

    grads: PyTree
    out: LossOut


def compute_gradients(
    update: Update,
    state: TrainState,
    batch: Batch,
    key: Key,
    axis_name: str | None,
    microbatches: Microbatches = WHOLE,
) -> Gradients:
    """The gradient of the update's loss with respect to its player's parameters in `state`.

    With several `microbatches` those of the parts are averaged, and so are the metrics; statistics start from
    those in `state` for each part and move once.

    Raises:
        ValueError: the parts do not divide the mini-batch, or would change what the loss remembers of it.
    """
    local = vary_params(state, axis_name)
    params = getattr(local, update.role).params

    def gradients_of_microbatch(batch: Batch) -> tuple[PyTree, Metrics, tuple[PyTree, PyTree]]:
        (loss, out), grads = jax.value_and_grad(update.loss, has_aux=True)(params, local, batch, key)
        if microbatches.count > 1:
            check_memories(out.stats, out.extra)
        metrics = {f"{update.role}_loss": loss, **out.metrics} if update.every == 1 else out.metrics
        return grads, metrics, (out.stats, out.extra)

    grads, metrics, (stats, extra) = average(gradients_of_microbatch, batch, microbatches, params)
    return Gradients(*mean_over(axis_name, (grads, LossOut(metrics=metrics, stats=stats, extra=extra))))


def descend(
    update: Update,
    state: TrainState,
    found: Gradients,
    tx: optax.GradientTransformation,
    start: PyTree = None,
) -> TrainState:
    """The state after the optimizer has taken this gradient.

    Args:
        tx: the player's optimizer; it is told the step for its schedules.
        start: the parameters to step from, if not those in `state` (extragradient).
    """
    player: Player = getattr(state, update.role)
    params = player.params if start is None else start
    tx = optax.with_extra_args_support(tx)
    changes, opt = tx.update(found.grads, player.opt, params, step=state.step)
    stats = player.stats if found.out.stats is None else found.out.stats
    player = Player(params=optax.apply_updates(params, changes), stats=stats, opt=opt)
    unknown = sorted(found.out.extra.keys() - state.extra.keys())
    if unknown:
        raise ValueError(f"a loss hands back extra {', '.join(unknown)}, which `init_extra` must make")
    return state.replace(**{update.role: player}, extra={**state.extra, **found.out.extra})


def mean_over(axis_name: str | None, tree: PyTree) -> PyTree:
    """The mean of every leaf over the mapped axis; whole numbers, which are equal on all devices, stay."""
    if axis_name is None:
        return tree

    def mean(x: Array) -> Array:
        if jnp.issubdtype(x.dtype, jnp.inexact):
            return jax.lax.pmean(x, axis_name)
        return jax.lax.pmax(x.astype(jnp.int32), axis_name).astype(x.dtype)

    return jax.tree.map(mean, tree)


def vary(tree: PyTree, axis_name: str | None) -> PyTree:
    """The tree cast to device-varying; the same numbers.

    Autodiff under shard_map sums the gradients with respect to what is the same on all devices over the
    devices by itself, and a mean of that sum is wrong by their number; gradients of varying ones stay local.
    """
    return tree if axis_name is None else jax.lax.pcast(tree, axis_name, to="varying")


def vary_params(state: TrainState, axis_name: str | None) -> TrainState:
    """The state with all players' parameters cast to device-varying."""
    return state.replace(**{r: p.replace(params=vary(p.params, axis_name)) for r, p in state.players.items()})
