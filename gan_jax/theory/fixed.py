"""GANs with a fixed generator, in which only the discriminator is trained.

The theory speaks of the best discriminator for a given generator. These are the project's own losses,
penalties and optimizers with the generator's updates left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from gan_jax.algorithms.gan import GAN
from gan_jax.core.state import TrainState
from gan_jax.core.update import Array, Key, Update
from gan_jax.densities.density import Density
from gan_jax.theory.playing import as_points


@dataclass(frozen=True, kw_only=True)
class FixedGenerator(GAN):
    """A GAN whose generator is not updated."""

    def updates(self) -> tuple[Update, ...]:
        """The discriminator's, lazy penalties included."""
        return tuple(update for update in super().updates() if update.role == "discriminator")


@dataclass(frozen=True, kw_only=True)
class KnownGenerator(FixedGenerator):
    """A GAN whose fakes are draws from a known density; the generator's network is never run.

    Attributes:
        density: over R^D, for data that are points [B, 1, 1, D].
    """

    density: Density

    def fakes(self, state: TrainState, latent: Array, label: Array | None, key: Key) -> Array:
        """As many draws as latents, float32 [B, 1, 1, D]."""
        return as_points(self.density.sample(key, latent.shape[0]))
