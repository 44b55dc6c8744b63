"""Variational autoencoders: no discriminator, a likelihood of each image and a bound of it.

Kingma and Welling 2014, "Auto-encoding variational Bayes", arXiv:1312.6114; with `beta` also Higgins et al.
2017, "beta-VAE". The scale of the likelihood is learned, one for each channel (Rybkin et al. 2021, "Simple
and effective VAE training with calibrated decoders", arXiv:2006.13202): it balances both parts of the bound.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from gan_jax.core.algorithm import Algorithm, Array, Batch, Key
from gan_jax.core.randomness import example_keys
from gan_jax.core.state import Role, TrainState
from gan_jax.core.update import LossOut, Update
from gan_jax.data.codecs import Codec, Pixels
from gan_jax.losses.likelihoods import Gaussian, Likelihood, bits_per_dim, dequantise
from gan_jax.optim.schedules import Schedule, as_schedule
from gan_jax.utils.tree import PyTree

DEQUANTISE, OBSERVE = 1, 2  # folded into a key: of the noise on pixels, and of that of drawn points


@dataclass(frozen=True, kw_only=True)
class VAE(Algorithm):
    """An encoder and a decoder in one module, such as `conv_autoencoder`.

    Attributes:
        likelihood: of an image, given what the decoder makes of its latents.
        beta: weight of the divergence of the latents from their prior; a number or a schedule.
        image_codec: of the data.
    """

    roles: ClassVar[tuple[Role, ...]] = ("generator",)

    likelihood: Likelihood = dataclasses.field(default_factory=Gaussian)
    beta: float | Schedule = 1.0
    image_codec: Codec = dataclasses.field(default_factory=Pixels)

    def __post_init__(self) -> None:
        super().__post_init__()
        as_schedule(self.beta, "beta")
        check_autoencoder(self)

    def check_fields(self, fields: Mapping[str, Any]) -> None:
        """Levels are those of pixels."""
        if self.likelihood.discrete and self.image_codec != Pixels():
            raise ValueError(
                f"likelihood=discretised_logistic is of the 256 levels of pixels, and the data are "
                f"{self.image_codec.noun}: set likelihood.name=gaussian"
            )

    @property
    def dequantises(self) -> bool:
        """Whether pixels get noise as wide as a level: a density is learned of them."""
        return not self.likelihood.discrete and self.image_codec == Pixels()

    @property
    def has_latent_path(self) -> bool:
        return True

    @property
    def bits_kind(self) -> str:
        of = "levels" if self.likelihood.discrete else "the density"
        of = "levels, by uniform dequantisation" if self.dequantises else of
        return f"an upper bound of those of {of}, by one latent of each"

    def examples(self, batch: Batch) -> dict[Role, tuple[Any, ...]]:
        return {"generator": (batch["image"], self.conditioning(batch, None))}

    def updates(self) -> tuple[Update, ...]:
        return (Update("generator", self.bound),)

    def bound(self, params: PyTree, state: TrainState, batch: Batch, key: Key) -> tuple[Array, LossOut]:
        """The negative bound of the log-likelihood, in bits per dimension, the divergence times beta."""
        log_prob, divergence, stats = self._terms(params, state.generator.stats, state, batch, key, True)
        dimensions = math.prod(batch["image"].shape[1:])
        beta = as_schedule(self.beta, "beta")(state.step)
        loss = bits_per_dim(log_prob - beta * divergence, dimensions, self.dequantises)
        bits = bits_per_dim(log_prob - divergence, dimensions, self.dequantises)
        metrics = {"bits_per_dim": jnp.mean(bits), "kl": jnp.mean(divergence)}
        return jnp.mean(loss), LossOut(metrics=metrics, stats=stats)

    def _terms(
        self, params: PyTree, stats: PyTree, state: TrainState, batch: Batch, key: Key, train: bool
    ) -> tuple[Array, Array, PyTree]:
        """ln p(x | z) of a latent of each example, KL(q(z | x) || N(0, 1)), both [B] in nats; statistics."""
        image, told = batch["image"], self.conditioning(batch, state)
        count, network_key = image.shape[0], key if train else None
        (mean, log_variance), stats = self.apply(
            self.generator, params, stats, image, told, key=network_key, train=train, method="encode"
        )
        latent = mean + jnp.exp(log_variance / 2) * self.latents(key, count)
        (made, log_scale), stats = self.apply(
            self.generator, params, stats, latent, told, key=network_key, train=train, method="decode"
        )
        if self.dequantises:
            image = dequantise(image, self.example_keys(jax.random.fold_in(key, DEQUANTISE), count))
        log_prob = jnp.sum(self.likelihood.log_prob(image, made, log_scale).reshape(count, -1), axis=1)
        return log_prob, normal_divergence(mean, log_variance), stats

    def bits(self, state: TrainState, batch: Batch, key: Key) -> Array:
        ema = state.ema
        log_prob, divergence, _ = self._terms(ema["params"], ema["stats"], state, batch, key, False)
        return bits_per_dim(log_prob - divergence, math.prod(batch["image"].shape[1:]), self.dequantises)

    def encode(self, state: TrainState, image: Array, conditioning: PyTree) -> Array:
        """The means of the latents."""
        return self._averaged("encode", state, image, conditioning)[0]

    def draw(self, state: TrainState, latent: Array, conditioning: PyTree) -> Array:
        """What the decoder takes for the mean, within [-1, 1] for data that are."""
        return self.bounded(self._averaged("decode", state, latent, conditioning)[0])

    def sample(self, state: TrainState, batch: Batch, key: Key) -> Array | dict[str, Array]:
        """Images as `draw` makes them; points with the likelihood's noise: they are draws of the model."""
        if self.image_codec.pictured:
            return super().sample(state, batch, key)
        count, told = batch["image"].shape[0], self.conditioning(batch, state)
        mean, log_scale = self._averaged("decode", state, self.latents(key, count), told)
        keys = self.example_keys(jax.random.fold_in(key, OBSERVE), count)
        return self.bounded(jax.vmap(self.likelihood.draw, (0, 0, None))(keys, mean, log_scale))

    def bounded(self, image: Array) -> Array:
        """Images within [-1, 1], where the data are."""
        return jnp.clip(image, -1.0, 1.0) if self.image_codec.bounded else image

    def example_keys(self, key: Key, count: int) -> Array:
        """Keys [count] of the examples on this device."""
        return example_keys(key, count, self.axis_name)


def check_autoencoder(algorithm: Algorithm) -> None:
    """Raises a ValueError unless the generator encodes and decodes, with normal latents."""
    name = type(algorithm).__name__
    if not all(hasattr(algorithm.generator, method) for method in ("encode", "decode")):
        raise ValueError(
            f"the generator has no methods encode and decode: {name} takes conv_autoencoder or "
            "mlp_autoencoder"
        )
    if algorithm.latent != "normal":
        raise ValueError(f"latent={algorithm.latent!r}: the latents of {name} are 'normal'")


def normal_divergence(mean: Array, log_variance: Array) -> Array:
    """KL(N(mean, exp(log_variance)) || N(0, 1)) in nats, [B, L] -> [B] (arXiv:1312.6114, appendix B)."""
    return 0.5 * jnp.sum(mean**2 + jnp.exp(log_variance) - log_variance - 1, axis=1)
