"""Feature matching.

Salimans et al. 2016, arXiv:1606.03498, section 3.1: the generator matches the mean of what a layer of the
discriminator says of the reals, || E f(x) - E f(G(z)) ||^2, in place of its adversarial loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.algorithms.gan import GAN, REAL_SCORE, Fakes, with_penalties
from gan_jax.core.collectives import gather_batch
from gan_jax.core.state import TrainState
from gan_jax.core.update import Array, Batch, Key, LossOut
from gan_jax.utils.tree import PyTree


@dataclass(frozen=True, kw_only=True)
class FeatureMatching(GAN):
    """The discriminator trains as ever; the generator matches the means of its layers.

    Attributes:
        layers: names of the discriminator's layers (`gan-jax train --dry_run` lists those with parameters;
            "dropout_1" is what follows the activation of the second one).
    """

    layers: tuple[str, ...] = ("dropout_1",)
    adversarial_weight: float = 0.0  # the paper's

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.layers, tuple) or not self.layers:
            raise ValueError(f"layers={self.layers!r}: it must be a tuple of names of layers")

    def obstacles(self) -> list[str]:
        """The squared distance of two means is no mean over examples."""
        reason = "feature_matching compares the means of the whole mini-batch: use another algorithm"
        return [reason, *super().obstacles()]

    def generator_loss(
        self, params: PyTree, state: TrainState, batch: Batch, key: Key
    ) -> tuple[Array, LossOut]:
        """The squared distance of the layers' means, each divided by its size, and penalties."""
        latent_key, fake_key, generator_key = jax.random.split(key, 3)
        latent, told = self.inputs(latent_key, batch, state)
        fake, stats = self.apply(
            self.generator, params, state.generator.stats, latent, told, key=generator_key, train=True
        )
        shown = self.shown(state, batch, Fakes(latent, told, fake), key)
        real, fake = self.discriminator_views(state, shown)
        real_key = jax.random.fold_in(key, REAL_SCORE)
        real_logits, real_features = self.features(state, real, shown[0].told, real_key)
        fake_logits, fake_features = self.features(state, fake, shown[1].told, fake_key)
        distance = jnp.zeros(())
        for name in self.layers:
            apart = jnp.mean(real_features[name], axis=0) - jnp.mean(fake_features[name], axis=0)
            distance = distance + jnp.mean(jnp.square(apart))
        loss = distance + self.adversarial_weight * self.objective(real_logits, fake_logits, state.step)
        inputs = self.generator_penalty_inputs(params, state, latent, told, key, generator_key)
        loss, values, memories = with_penalties(loss, self.generator_penalties, inputs, state)
        return loss, LossOut(metrics={"feature_distance": distance, **values}, stats=stats, extra=memories)

    def features(
        self, state: TrainState, view: Array, told: PyTree, key: Key
    ) -> tuple[Array, dict[str, Array]]:
        """The logits, and what the chosen layers say, both of the global batch."""
        logits, found = layer_outputs(self, state, view, told, key, self.layers)
        return gather_batch(logits, self.axis_name), {
            name: gather_batch(said, self.axis_name) for name, said in found.items()
        }


def layer_outputs(
    algorithm: GAN, state: TrainState, view: Array, told: PyTree, key: Key, layers: tuple[str, ...]
) -> tuple[Array, dict[str, Array]]:
    """The discriminator's logits, and what these of its layers say, on this device.

    Raises:
        ValueError: it has no layer with one of these names.
    """
    d = state.discriminator
    logits, changed = algorithm.apply(
        algorithm.discriminator, d.params, d.stats, view, told, key=key, train=True, capture=True
    )
    found: dict[str, Any] = {
        name: said["__call__"][0]
        for name, said in changed["intermediates"].items()
        if isinstance(said, dict) and "__call__" in said
    }
    absent = [name for name in layers if name not in found]
    if absent:
        raise ValueError(f"layers: the discriminator has no {', '.join(absent)}; it has {', '.join(found)}")
    return logits, {name: found[name] for name in layers}
