"""Mini-batches computed in parts, one after the other: the memory of one part, the numbers of the whole.

It is right for losses that are means over examples, each of which stands for itself. Networks, losses,
penalties and augmentations for which that is not so say it themselves: see `Algorithm.obstacles`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.core.modules import trait, walk
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


def network_obstacles(**networks: nn.Module | None) -> list[str]:
    """What of networks, by their roles, looks at several examples at once, and what to use instead."""
    found = []
    for role, network in networks.items():
        for name, module in walk(network, role) if network is not None else ():
            if trait(module, "norm") == "batch":
                found.append(
                    f"{name}.norm=batch takes its statistics over the whole mini-batch: set {name}.norm="
                    "layer or another one"
                )
            if of_batch := trait(module, "of_batch"):
                found.append(f"{name} {of_batch}")
            kind = trait(module, "minibatch")
            if kind != "none":
                found.append(
                    f"{name}.minibatch={kind} compares the examples of the whole mini-batch: set "
                    f"{name}.minibatch=none"
                )
    return found
