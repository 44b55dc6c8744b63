"""What a training run is made of: arrays only. Modules and optimizers live in the Algorithm."""

from __future__ import annotations

import jax
import optax
from flax import struct

from gan_jax.utils.tree import PyTree


class Player(struct.PyTreeNode):
    """One of the two players of the game."""

    params: PyTree  # one network's, or a dict of networks that share one optimizer
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
    discriminator: Player
    ema: PyTree  # moving average of the generator: {"params": ..., "stats": ...}
    extra: PyTree  # the method's own: path-length mean, w average, ADA p, image pools
    frozen: PyTree = ()  # pretrained constants; neither updated nor checkpointed
