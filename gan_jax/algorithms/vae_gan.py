"""VAE-GAN: an autoencoder whose pictures are compared in a layer of the discriminator that judges them.

Larsen et al. 2016, "Autoencoding beyond pixels using a learned similarity metric", arXiv:1512.09300,
algorithm 1. Each part has its own objective: the encoder the divergence and the distance of the layer's
features, the decoder the distance and the adversarial loss, the discriminator that on reals and fakes.
Deviations:

- Of the fakes half, drawn by example, are reconstructions and half come from the prior, as many as the reals;
  there all reals have one of each kind.
- The features' Gaussian has a learned scale, not 1: the distance does not change with the size of features.
- Divergence and distance are divided by the number of features. The encoder's Adam does not see it; of the
  decoder's loss the adversarial part is not divided, so the paper's gamma is `feature_weight` by that number.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.algorithms.feature_matching import layer_outputs
from gan_jax.algorithms.gan import GAN, REAL_VIEW
from gan_jax.algorithms.vae import check_autoencoder, normal_divergence
from gan_jax.core.randomness import example_keys
from gan_jax.core.state import Role, TrainState
from gan_jax.core.update import Array, Batch, Key, LossOut
from gan_jax.data.codecs import Codec, Pixels, Tiles
from gan_jax.losses.likelihoods import Gaussian
from gan_jax.optim.schedules import Schedule, as_schedule
from gan_jax.utils.checks import check_range
from gan_jax.utils.tree import PyTree

POSTERIOR, KIND, FEATURES = range(20, 23)  # folded into a descent's key


@dataclass(frozen=True, kw_only=True)
class VAEGAN(GAN):
    """A GAN whose generator is an autoencoder, such as `conv_autoencoder`.

    Attributes:
        layer: of the discriminator, in whose features pictures are compared (as in `feature_matching`).
        feature_weight: of their distance, a mean over features, beside the adversarial loss of the decoder.
        beta: weight of the divergence of the latents from their prior; a number or a schedule.
        image_codec: of the data.
    """

    layer: str = "dropout_1"
    feature_weight: float = 1.0
    beta: float | Schedule = 1.0
    image_codec: Codec = dataclasses.field(default_factory=Pixels)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self.feature_weight, "feature_weight")
        as_schedule(self.beta, "beta")
        check_autoencoder(self)
        if self.packing != 1:
            raise ValueError(
                f"packing={self.packing}: vae_gan compares each picture with its own: set packing=1"
            )

    def examples(self, batch: Batch) -> dict[Role, tuple[Any, ...]]:
        told = self.conditioning(batch, None)
        return {**super().examples(batch), "generator": (batch["image"], told)}

    def inputs(self, key: Key, batch: Batch, state: TrainState) -> tuple[Array, PyTree]:
        """Latents of the batch's reals, or of the prior, for each example by chance."""
        g, count = state.generator, batch["image"].shape[0]
        found, _, _ = self._posterior(g.params, g.stats, state, batch, jax.random.fold_in(key, POSTERIOR))
        keys = example_keys(jax.random.fold_in(key, KIND), count, self.axis_name)
        is_found = jax.vmap(jax.random.bernoulli)(keys)
        latent = jnp.where(is_found[:, None], found, self.latents(key, count))
        return latent, self.conditioning(batch, state)

    def generate(
        self, params: PyTree, stats: PyTree, latent: Array, told: PyTree, *, key: Key | None, train: bool
    ) -> tuple[Array, PyTree]:
        """The decoder's images, within [-1, 1] for data that are."""
        (image, _), stats = self.apply(
            self.generator, params, stats, latent, told, key=key, train=train, method="decode"
        )
        return jnp.tanh(image) if self.image_codec.bounded else image, stats

    def generator_loss(
        self, params: PyTree, state: TrainState, batch: Batch, key: Key
    ) -> tuple[Array, LossOut]:
        """The sum of the losses of encoder and decoder, each with the gradient of its own part alone."""
        stats, told = state.generator.stats, self.conditioning(batch, state)
        key_of_posterior = jax.random.fold_in(key, POSTERIOR)
        latent, divergence, encoded = self._posterior(params, stats, state, batch, key_of_posterior)
        # What the encoder's pass has changed of the statistics, and then what the decoder's has.
        moved = state.replace(generator=state.generator.replace(stats=encoded))
        adversarial, out = super().generator_loss(params, moved, batch, key)
        fixed = jax.lax.stop_gradient
        # The same pictures twice: gradients of the first reach the encoder, of the second the decoder.
        of_encoder = self.generate(fixed(params), stats, latent, told, key=key, train=True)[0]
        of_decoder = self.generate(params, stats, fixed(latent), told, key=key, train=True)[0]
        real = self._features(state, batch["image"], told, key)
        size = math.prod(real.shape[1:])
        log_scale = jnp.mean(params["log_scale"])

        def distance(made: Array, log_scale: Array) -> Array:
            """-ln of the features' density, by feature."""
            return -jnp.mean(Gaussian().log_prob(real, self._features(state, made, told, key), log_scale))

        beta = as_schedule(self.beta, "beta")(state.step)
        encoder = beta * jnp.mean(divergence) / size + distance(of_encoder, fixed(log_scale))
        decoder = self.feature_weight * distance(of_decoder, log_scale)
        apart = jnp.mean(jnp.abs(of_decoder - batch["image"]))
        halved = self.image_codec.bounded and not isinstance(self.image_codec, Tiles)  # which are in [0, 1]
        unit = 0.5 if halved else 1.0
        metrics = {"kl": jnp.mean(divergence), "feature_nll": decoder, "reconstruction_l1": unit * apart}
        return adversarial + encoder + decoder, out.replace(metrics=out.metrics | metrics)

    def _posterior(
        self, params: PyTree, stats: PyTree, state: TrainState, batch: Batch, key: Key
    ) -> tuple[Array, Array, PyTree]:
        """A latent of each real [B, L], the divergence of its distribution [B], the statistics afterwards."""
        image, told = batch["image"], self.conditioning(batch, state)
        (mean, log_variance), stats = self.apply(
            self.generator, params, stats, image, told, key=key, train=True, method="encode"
        )
        noise = self.latents(key, image.shape[0])
        return mean + jnp.exp(log_variance / 2) * noise, normal_divergence(mean, log_variance), stats

    def _features(self, state: TrainState, image: Array, told: PyTree, key: Key) -> Array:
        """What the layer says of images, all of them augmented and dropped alike."""
        view = self.discriminator_view(state, image, jax.random.fold_in(key, REAL_VIEW))
        _, found = layer_outputs(self, state, view, told, jax.random.fold_in(key, FEATURES), (self.layer,))
        return found[self.layer]

    def encode(self, state: TrainState, image: Array, conditioning: PyTree) -> Array:
        """The means of the latents."""
        return self._averaged("encode", state, image, conditioning)[0]

    def draw(self, state: TrainState, latent: Array, conditioning: PyTree) -> Array:
        params, stats = state.ema["params"], state.ema["stats"]
        return self.generate(params, stats, latent, conditioning, key=None, train=False)[0]
