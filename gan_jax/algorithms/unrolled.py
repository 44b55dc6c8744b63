"""Unrolled generative adversarial networks.

Metz, Poole, Pfau, Sohl-Dickstein 2017, arXiv:1611.02163, equations 7 to 10: the generator descends through
the discriminator as it would be after k more steps of its own, and differentiates through those steps,
optimizer included. The discriminator itself takes one step. The unrolled steps see the same mini-batch, with
latents of their own; they carry the objective and the penalties that are not lazy.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax

from gan_jax.algorithms.gan import GAN
from gan_jax.core.state import Player, TrainState
from gan_jax.core.update import Array, Batch, Key, LossOut, mean_over, vary
from gan_jax.utils.checks import check_count
from gan_jax.utils.tree import PyTree

UNROLLED = 20  # folded into the generator's key: the unrolled steps'


@dataclass(frozen=True, kw_only=True)
class UnrolledGAN(GAN):
    """The generator looks k discriminator steps ahead.

    An Adam that is differentiated needs `eps_root` above 0: the derivative of the root of a second moment
    that is 0 is infinite.

    Attributes:
        unrolled_steps: k; 0 is the plain GAN.
    """

    unrolled_steps: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unrolled_steps != 0:
            check_count(self.unrolled_steps, "unrolled_steps")

    def obstacles(self) -> list[str]:
        """Each unrolled step takes the gradient of the whole mini-batch."""
        if not self.unrolled_steps:
            return super().obstacles()
        reason = "the steps ahead of unrolled descend on the whole mini-batch: set algorithm.unrolled_steps=0"
        return [reason, *super().obstacles()]

    def generator_loss(
        self, params: PyTree, state: TrainState, batch: Batch, key: Key
    ) -> tuple[Array, LossOut]:
        """The generator's part, through the discriminator of k steps ahead."""
        if self.unrolled_steps:
            ahead = self.unroll(params, state, batch, jax.random.fold_in(key, UNROLLED))
            state = state.replace(discriminator=ahead)
        return super().generator_loss(params, state, batch, key)

    def unroll(self, params: PyTree, state: TrainState, batch: Batch, key: Key) -> Player:
        """The discriminator after k steps against the generator with these parameters.

        Each step's activations are made again in the backward pass: memory holds k copies of the
        discriminator and the activations of one step.
        """
        moved = state.replace(generator=state.generator.replace(params=params))
        tx = optax.with_extra_args_support(self.discriminator_tx)

        def loss(params: PyTree, player: Player, step_key: Key) -> tuple[Array, LossOut]:
            return self.discriminator_loss(params, moved.replace(discriminator=player), batch, step_key)

        @jax.checkpoint
        def ahead(player: Player, index: Array) -> tuple[Player, None]:
            step_key = jax.random.fold_in(key, index)
            grads, out = jax.grad(loss, has_aux=True)(player.params, player, step_key)
            grads = vary(mean_over(self.axis_name, grads), self.axis_name)
            changes, opt = tx.update(grads, player.opt, player.params, step=state.step)
            stats = vary(mean_over(self.axis_name, out.stats), self.axis_name)
            params = optax.apply_updates(player.params, changes)
            return Player(params=params, stats=stats, opt=opt), None

        start = state.discriminator
        start = start.replace(stats=vary(start.stats, self.axis_name), opt=vary(start.opt, self.axis_name))
        return jax.lax.scan(ahead, start, jnp.arange(self.unrolled_steps))[0]
