"""Losses and states that are not finite any more."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.core.state import Player, TrainState
from gan_jax.utils.errors import UserError


class Diverged(UserError):
    """A loss is no longer a number; the last checkpoint is from before."""

    everywhere = True  # raised by all processes at the same step


def check_finite(step: int, metrics: dict[str, np.ndarray]) -> None:
    """Raises Diverged at the first step, of those that end at `step`, with a loss that is not finite."""
    found = find_divergence(step, metrics)
    if found is not None:
        raise diverged(*found)


def find_divergence(step: int, metrics: dict[str, np.ndarray]) -> tuple[int, str] | None:
    """The first step, of those that end at `step`, with a loss that is not finite, and which it is."""
    losses = {name: values for name, values in metrics.items() if name.endswith("_loss")}
    bad = np.stack([~np.isfinite(values) for values in losses.values()])
    if not bad.any():
        return None
    index = int(np.argmax(bad.any(axis=0)))
    at = {name: values[index] for name, values in losses.items()}
    what = ", ".join(f"{name} is {value}" for name, value in at.items() if not np.isfinite(value))
    return step - bad.shape[1] + index + 1, what


def check_state(step: int, state: TrainState) -> None:
    """Raises Diverged if a player holds a number that is not finite, as it can before any loss does."""
    sums = jax.device_get(_sums_of_bad(dict(state.players)))
    bad = [f"a number of the {role} (parameters or optimizer) is {x}" for role, x in sums.items() if x != 0]
    if bad:
        raise diverged(step, ", ".join(bad))


@jax.jit
def _sums_of_bad(players: dict[str, Player]) -> dict[str, jax.Array]:
    """For each player the sum of all that is not finite: 0 is a player without."""

    def sum_of_bad(player: Player) -> jax.Array:
        leaves = [x for x in jax.tree.leaves(player) if jnp.issubdtype(x.dtype, jnp.inexact)]
        return jnp.stack([jnp.sum(jnp.where(jnp.isfinite(x), 0.0, x)) for x in leaves]).sum()

    return {role: sum_of_bad(player) for role, player in players.items()}


def diverged(step: int, what: str) -> Diverged:
    """The error for what was first seen at `step`."""
    return Diverged(
        f"the training diverged: at step {step} {what}. Nothing of it was saved: the checkpoints are from "
        "before. Try a lower learning rate or another seed in a new workdir"
    )
