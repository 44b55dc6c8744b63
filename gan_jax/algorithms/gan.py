"""Generative adversarial nets.

Goodfellow et al. 2014, arXiv:1406.2661: algorithm 1 with k discriminator steps per generator step,
each player on noise of its own. The discriminator sees the reals and the fakes as two batches
(which matters where it has BatchNorm), and only its own descent moves its moving statistics.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from gan_jax.algorithm import Algorithm, Batch, Key, LossOut, Update, apply_network
from gan_jax.checks import check_count
from gan_jax.losses import LOSSES
from gan_jax.state import PyTree, TrainState

Array = jax.Array


@dataclass(frozen=True, kw_only=True)
class GAN(Algorithm):
    """Minimax or non-saturating GAN with any pair of networks.

    Attributes:
        loss: a name in `losses.LOSSES`.
        discriminator_steps: Goodfellow's k.
    """

    loss: str = "non_saturating"
    discriminator_steps: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loss not in LOSSES:
            raise ValueError(f"loss={self.loss!r} is not one of {', '.join(LOSSES)}")
        check_count(self.discriminator_steps, "discriminator_steps")

    def updates(self) -> tuple[Update, ...]:
        return (
            Update("discriminator", self.discriminator_loss, repeat=self.discriminator_steps),
            Update("generator", self.generator_loss),
        )

    def discriminator_loss(
        self, params: PyTree, state: TrainState, batch: Batch, key: Key
    ) -> tuple[Array, LossOut]:
        """Cross-entropy on a batch of reals and one of fakes."""
        latent_key, fake_key, real_key, generator_key = jax.random.split(key, 4)
        g = state.generator
        latent = self.latents(latent_key, batch["image"].shape[0])
        fake, _ = apply_network(self.generator, g.params, g.stats, latent, key=generator_key, train=True)
        stats = state.discriminator.stats
        real_logits, stats = apply_network(
            self.discriminator, params, stats, batch["image"], key=real_key, train=True
        )
        fake_logits, stats = apply_network(self.discriminator, params, stats, fake, key=fake_key, train=True)
        metrics = {
            "discriminator_real": jnp.mean(jax.nn.sigmoid(real_logits)),
            "discriminator_fake": jnp.mean(jax.nn.sigmoid(fake_logits)),
        }
        loss = LOSSES[self.loss].discriminator(real_logits, fake_logits)
        return loss, LossOut(metrics=metrics, stats=stats)

    def generator_loss(
        self, params: PyTree, state: TrainState, batch: Batch, key: Key
    ) -> tuple[Array, LossOut]:
        """The generator's part, through the discriminator as it is now."""
        latent_key, fake_key, generator_key = jax.random.split(key, 3)
        latent = self.latents(latent_key, batch["image"].shape[0])
        fake, stats = apply_network(
            self.generator, params, state.generator.stats, latent, key=generator_key, train=True
        )
        d = state.discriminator
        logits, _ = apply_network(self.discriminator, d.params, d.stats, fake, key=fake_key, train=True)
        return LOSSES[self.loss].generator(logits), LossOut(metrics={}, stats=stats)
