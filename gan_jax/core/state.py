"""What a training run is made of: arrays only. Modules and optimizers live in the Algorithm."""

from __future__ import annotations

from typing import Any, Literal

import jax
import optax
from flax import struct

from gan_jax.utils.tree import PyTree

Role = Literal["generator", "discriminator"]
ROLES: tuple[Role, ...] = ("generator", "discriminator")


class Player(struct.PyTreeNode):
    """One of the two players of the game."""

    params: PyTree  # of one Linen module; several networks of a player are one module with named methods
    stats: PyTree  # the other Flax collections (batch_stats, ...); {} if there are none
    opt: optax.OptState


class TrainState(struct.PyTreeNode):
    """The whole state of a run.

    A run is a function of this state alone: the key is constant, the key of a step is
    `fold_in(key, step)`, and the batch of a step is a function of (seed, step).
    """

    step: jax.Array  # int32 [], completed steps
    key: jax.Array  # typed key []
    generator: Player
    discriminator: Any  # a Player, or None where nobody judges: VAE, diffusion, flow
    ema: PyTree  # moving average of the generator: {"params": ..., "stats": ...}
    extra: dict[str, PyTree]  # by name: path-length mean, ADA p, image pools, memories of penalties
    frozen: PyTree = ()  # pretrained constants; neither updated nor checkpointed

    @property
    def players(self) -> dict[Role, Player]:
        """The players that are there, by role."""
        players = {role: getattr(self, role) for role in ROLES}
        return {role: player for role, player in players.items() if player is not None}
