"""Diffusion models: a network learns to remove noise of every level, and makes examples of noise in steps.

Ho, Jain, Abbeel 2020, "Denoising diffusion probabilistic models", arXiv:2006.11239 (process "ddpm"); Karras,
Aittala, Aila, Laine 2022, arXiv:2206.00364 (process "edm"; compared with github.com/NVlabs/edm), without its
augmentation of the examples. Classifier-free guidance: Ho and Salimans 2022, arXiv:2207.12598.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from gan_jax.algorithms.processes import DDPM, Process
from gan_jax.algorithms.solvers import DDIM, Denoiser, Sampler
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.randomness import example_keys
from gan_jax.core.state import Role, TrainState
from gan_jax.core.update import Array, Batch, Key, LossOut, Update
from gan_jax.data.codecs import Codec, Pixels
from gan_jax.utils.checks import check_range
from gan_jax.utils.tree import PyTree

NO_LABEL = -1  # what a network is told in the place of a label that is dropped
_LEVEL, _NOISE, _DROPPED = range(3)  # folded into an example's key


@dataclass(frozen=True, kw_only=True)
class Diffusion(Algorithm):
    """A denoiser as the generator, and nobody who judges.

    The network's `__call__` takes (noisy examples [B, ...], times float32 [B], labels int32 [B] or None,
    train); a label of `NO_LABEL` says nothing.

    Attributes:
        process: which noise, and how the network sees it.
        sampler: how examples are made.
        label_dropout: share of the labels that the network is not told in training, for guidance.
        image_codec: of the examples.
    """

    roles: ClassVar[tuple[Role, ...]] = ("generator",)

    process: Process = dataclasses.field(default_factory=DDPM)
    sampler: Sampler = dataclasses.field(default_factory=DDIM)
    label_dropout: float = 0.1
    image_codec: Codec = dataclasses.field(default_factory=Pixels)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self.label_dropout, "label_dropout", 0.0, 1.0)
        self.sampler.levels(self.process)
        guided = self.sampler.guidance != 1.0
        if guided and self.num_classes is None:
            raise ValueError(
                f"guidance={self.sampler.guidance:g} is towards a label, and the network is told none: set "
                "generator.condition, or guidance=1"
            )
        if guided and not self.label_dropout:
            raise ValueError(
                f"guidance={self.sampler.guidance:g} needs a network that was trained without labels too: "
                "set algorithm.label_dropout, or guidance=1"
            )

    @property
    def drawing(self) -> str:
        """The sampler."""
        return self.sampler.described()

    @property
    def evaluations(self) -> int:
        """The sampler's, twice with guidance."""
        return self.sampler.evaluations * (1 if self.sampler.guidance == 1.0 else 2)

    def examples(self, batch: Batch) -> dict[Role, tuple[Any, ...]]:
        return {"generator": (batch["image"], jnp.zeros(1), self.conditioning(batch, None))}

    def updates(self) -> tuple[Update, ...]:
        return (Update("generator", self.denoising),)

    def denoising(self, params: PyTree, state: TrainState, batch: Batch, key: Key) -> tuple[Array, LossOut]:
        """The mean square of the network's error, at a random noise level for each example."""
        clean = batch["image"]
        keys = example_keys(key, clean.shape[0], self.axis_name)
        sigma = jax.vmap(lambda k: self.process.draw(jax.random.fold_in(k, _LEVEL)))(keys)
        draw = lambda k: jax.random.normal(jax.random.fold_in(k, _NOISE), clean.shape[1:])
        noise = self.split(jax.vmap(draw)(keys))
        wide = sigma.reshape(-1, *[1] * (clean.ndim - 1))
        answer, stats = self.apply(
            self.generator,
            params,
            state.generator.stats,
            self.process.scales(wide).input * (clean + wide * noise),
            self.process.scales(sigma).time,
            self.dropped(self.conditioning(batch, state), keys),
            key=key,
            train=True,
        )
        error = answer - self.process.target(clean, noise, wide)
        return jnp.mean(error**2), LossOut(metrics={}, stats=stats)

    def dropped(self, label: Array | None, keys: Array) -> Array | None:
        """The labels int32 [B], a share of them `NO_LABEL`; None as it is."""
        if label is None or self.num_classes is None or not self.label_dropout:
            return label
        drop = jax.vmap(lambda k: jax.random.uniform(jax.random.fold_in(k, _DROPPED)))(keys)
        return jnp.where(drop < self.label_dropout, NO_LABEL, label)

    def sample(self, state: TrainState, batch: Batch, key: Key) -> Array:
        shape = batch["image"].shape
        keys = example_keys(key, shape[0], self.axis_name)

        def noise(number: Array) -> Array:
            draw = lambda k: jax.random.normal(jax.random.fold_in(k, number), shape[1:])
            return self.split(jax.vmap(draw)(keys))

        denoise = self.denoiser(state, self.conditioning(batch, state))
        made = self.sampler.solve(denoise, noise, self.process)
        return jnp.clip(made, -1.0, 1.0) if self.image_codec.bounded else made

    def denoiser(self, state: TrainState, label: Array | None) -> Denoiser:
        """What the averaged network says of noisy examples with these labels, guided as the sampler says."""

        def clean(x: Array, sigma: Array, label: Array | None) -> Array:
            scales = self.process.scales(sigma)
            time = jnp.broadcast_to(scales.time, x.shape[:1])
            params, stats = state.ema["params"], state.ema["stats"]
            answer, _ = self.apply(
                self.generator, params, stats, scales.input * x, time, label, key=None, train=False
            )
            return scales.skip * x + scales.out * answer

        def guided(x: Array, sigma: Array) -> Array:
            weight = self.sampler.guidance
            found = clean(x, sigma, label)
            if weight != 1.0 and label is not None:
                free = clean(x, sigma, jnp.full_like(label, NO_LABEL))
                found = free + weight * (found - free)
            clips = self.sampler.clips and self.image_codec.bounded
            return jnp.clip(found, -1.0, 1.0) if clips else found

        return guided
