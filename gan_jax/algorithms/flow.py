"""Normalising flows: the exact likelihood of what an invertible network maps to normal latents.

Dinh et al. 2017, "Density estimation using Real NVP", arXiv:1605.08803; Kingma and Dhariwal 2018, "Glow",
arXiv:1807.03039. Pixels are dequantised with uniform noise; the temperature of samples is 1.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.core.algorithm import Algorithm, Array, Batch, Key
from gan_jax.core.modules import with_field
from gan_jax.core.randomness import example_keys
from gan_jax.core.state import Role, TrainState
from gan_jax.core.update import LossOut, Update
from gan_jax.data.codecs import Codec, Pixels, Tiles
from gan_jax.losses.likelihoods import bits_per_dim, dequantise
from gan_jax.utils.tree import PyTree

START = 0xFFFF_FFFB  # folded into a run's key: the noise on the images that actnorm starts from


@dataclass(frozen=True, kw_only=True)
class Flow(Algorithm):
    """An invertible network, such as `glow`, trained to give the data likely latents.

    Attributes:
        image_codec: of the data.
    """

    roles: ClassVar[tuple[Role, ...]] = ("generator",)

    image_codec: Codec = dataclasses.field(default_factory=Pixels)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(hasattr(self.generator, method) for method in ("inverse", "start")):
            raise ValueError("the generator has no method inverse: a flow takes glow (images) or mlp_flow")
        if self.latent != "normal":
            raise ValueError(f"latent={self.latent!r}: the latents of a flow are 'normal'")
        if isinstance(self.image_codec, Tiles):
            raise ValueError(
                "tiles have probabilities and no density, which a flow learns: choose autoregressive, with "
                "generator.categorical=True"
            )

    def check_fields(self, fields: Mapping[str, Any]) -> None:
        """There are as many latents as values."""
        values = math.prod(fields["image"].shape)
        if self.latent_size != values:
            raise ValueError(
                f"latent_size={self.latent_size}: a flow has as many latents as an example has values: set "
                f"algorithm.latent_size={values}"
            )

    @property
    def dequantises(self) -> bool:
        """Whether pixels get noise as wide as a level."""
        return self.image_codec == Pixels()

    @property
    def bits_kind(self) -> str:
        if self.dequantises:
            return "exact of uniformly dequantised pixels, an upper bound of those of their levels"
        return "exact, of the density"

    def examples(self, batch: Batch) -> dict[Role, tuple[Any, ...]]:
        return {"generator": (batch["image"], None)}

    def updates(self) -> tuple[Update, ...]:
        return (Update("generator", self.negative_log_likelihood),)

    def begin(self, state: TrainState, batches: Batch) -> TrainState:
        """The state with the start of actnorm, also in the average, of the whole of the first mini-batch."""
        image = jax.tree.map(lambda x: x[0], self.prepare(batches, state))["image"]
        image = self.dequantised(image, jax.random.fold_in(state.key, START))
        player = state.generator
        _, stats = self.apply(
            self.generator, player.params, player.stats, image, None, key=None, train=True, method="start"
        )
        return state.replace(generator=player.replace(stats=stats), ema={**state.ema, "stats": stats})

    def negative_log_likelihood(
        self, params: PyTree, state: TrainState, batch: Batch, key: Key
    ) -> tuple[Array, LossOut]:
        """In bits per dimension."""
        loss = jnp.mean(self._bits(params, state.generator.stats, batch["image"], key))
        return loss, LossOut(metrics={"bits_per_dim": loss})

    def _bits(self, params: PyTree, stats: PyTree, image: Array, key: Key) -> Array:
        image = self.dequantised(image, key)
        (latent, log_det), _ = self.apply(self.generator, params, stats, image, None, key=None, train=False)
        normal = -0.5 * jnp.sum(latent**2 + math.log(2 * math.pi), axis=1)
        return bits_per_dim(normal + log_det, latent.shape[1], self.dequantises)

    def dequantised(self, image: Array, key: Key) -> Array:
        """Pixels with their noise; other data as they are."""
        if not self.dequantises:
            return image
        return dequantise(image, example_keys(key, image.shape[0], self.axis_name))

    def bits(self, state: TrainState, batch: Batch, key: Key) -> Array:
        return self._bits(state.ema["params"], state.ema["stats"], batch["image"], key)

    def encode(self, state: TrainState, image: Array, conditioning: PyTree) -> Array:
        """What the flow maps the images to, without noise."""
        return self._averaged("__call__", state, image, None)[0]

    def draw(self, state: TrainState, latent: Array, conditioning: PyTree) -> Array:
        """What the flow maps to these latents, within [-1, 1] for data that are."""
        image = self._averaged("inverse", state, latent, None)
        return jnp.clip(image, -1.0, 1.0) if self.image_codec.bounded else image

    def apply(self, module: nn.Module, *args: Any, **options: Any) -> tuple[Any, PyTree]:
        """In float32 but for the insides of couplings, which are in the run's precision."""
        plain = dataclasses.replace(self.execution, precision="float32")
        inner = with_field(module, precision=self.execution.precision)
        return super(Flow, dataclasses.replace(self, execution=plain)).apply(inner, *args, **options)
