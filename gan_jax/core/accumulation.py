"""Mini-batches computed in parts, one after the other: the memory of one part, the numbers of the whole.

It is right for losses that are means over examples, each of which stands for itself; `obstacles` names what
of the networks and the objective is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.core.randomness import Microbatch, within
from gan_jax.utils.tree import PyTree

Array = jax.Array

# The collections of a network that do not depend on the batch: every part leaves the same in them.
BATCH_FREE = frozenset({"spectral"})


@dataclass(frozen=True)
class Microbatches:
    """How a mini-batch is cut.

    Attributes:
        count: parts; 1 is the whole mini-batch at once.
        group: neighbours that must stay together.
    """

    count: int = 1
    group: int = 1


WHOLE = Microbatches()


def take(batch: PyTree, microbatches: Microbatches, index: Array) -> PyTree:
    """Part `index` of a mini-batch, leaves [B, ...] -> [B / count, ...]: of every `count` groups one.

    Where the rows are split over devices, every device's rows of the part are among its own.

    Raises:
        ValueError: count * group does not divide B.
    """

    def take_rows(x: Array) -> Array:
        size, step = x.shape[0], microbatches.count * microbatches.group
        if size % step:
            groups = f" of groups of {microbatches.group}" if microbatches.group > 1 else ""
            raise ValueError(
                f"accumulation={microbatches.count}: {size} examples on a device cannot be cut into "
                f"{microbatches.count} equal parts{groups}: choose a batch size of which {step} is a divisor"
            )
        grouped = x.reshape(size // step, microbatches.count, microbatches.group, *x.shape[1:])
        chosen = jax.lax.dynamic_index_in_dim(grouped, index, axis=1, keepdims=False)
        return chosen.reshape(size // microbatches.count, *x.shape[1:])

    return jax.tree.map(take_rows, batch)


def average(
    compute: Callable[[PyTree], tuple[PyTree, PyTree, PyTree]],
    batch: PyTree,
    microbatches: Microbatches,
    like: PyTree,
) -> tuple[PyTree, PyTree, PyTree]:
    """compute(batch), from its parts.

    Args:
        compute: mini-batch, or a part of it -> (large means over its examples, scalar ones, what is the same
            for every part).
        like: the form of the large means; what they are added up in.
    """
    if microbatches.count == 1:
        return compute(batch)
    examples = jax.tree.leaves(batch)[0].shape[0] // microbatches.count

    def add(total: PyTree, index: Array) -> tuple[PyTree, tuple[PyTree, PyTree]]:
        piece = take(batch, microbatches, index)
        with within(Microbatch(index, microbatches.count, microbatches.group, examples)):
            large, small, same = compute(piece)
        return jax.tree.map(jnp.add, total, large), (small, same)

    zeros = jax.tree.map(jnp.zeros_like, like)
    total, (small, same) = jax.lax.scan(add, zeros, jnp.arange(microbatches.count))
    return (
        jax.tree.map(lambda x: x / microbatches.count, total),
        jax.tree.map(lambda x: jnp.mean(x, axis=0), small),
        jax.tree.map(lambda x: x[-1], same),
    )


def check_memories(stats: PyTree, extra: PyTree) -> None:
    """Raises a ValueError if a loss hands back what a part of the mini-batch gets wrong."""
    kept = set(stats or {}) - BATCH_FREE | set(extra or {})
    if kept:
        raise ValueError(
            f"accumulation: {', '.join(sorted(kept))} would remember a part of the mini-batch instead of all "
            "of it: set accumulation=1"
        )


def network_obstacles(**networks: Any) -> list[str]:
    """What of networks, by their roles, looks at several examples at once, and what to use instead."""
    found = []
    for role, network in networks.items():
        if getattr(network, "norm", "none") == "batch":
            found.append(
                f"{role}.norm=batch takes its statistics over the whole mini-batch: set {role}.norm=layer or "
                "another one"
            )
        kind = getattr(network, "minibatch", "none")
        if kind != "none":
            found.append(
                f"{role}.minibatch={kind} compares the examples of the whole mini-batch: set "
                f"{role}.minibatch=none"
            )
    return found


def objective_obstacles(algorithm: Any) -> list[str]:
    """What of a GAN's objective is no mean over examples, and what to use instead."""
    found = [
        f"the penalty {penalty.name} takes {penalty.of_batch} of the whole mini-batch: use another penalty"
        for penalty in algorithm.penalties
        if penalty.of_batch
    ]
    if algorithm.loss.averaging:
        found.append(
            "loss=relativistic_average compares each logit with the mean of the whole mini-batch: use "
            "relativistic_paired"
        )
    if algorithm.augment.init():
        found.append("augment counts signs in the whole mini-batch to adapt p: set augment.adjust_images=0")
    if algorithm.label_flipping:
        found.append("label_flipping is drawn for the whole mini-batch: set algorithm.label_flipping=0.0")
    if algorithm.pool_size:
        found.append("the pool exchanges fakes of the whole mini-batch: set algorithm.pool_size=0")
    if algorithm.top_k != 1.0:
        found.append("top_k ranks the fakes of the whole mini-batch: set algorithm.top_k=1.0")
    return found
