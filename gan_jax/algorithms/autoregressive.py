"""Autoregressive models of images and of levels of tiles: the exact likelihood, place by place.

Van den Oord et al. 2016, "Conditional image generation with PixelCNN decoders", arXiv:1606.05328; Salimans et
al. 2017, "PixelCNN++", arXiv:1701.05517. All pixels are learned from at once and drawn one after the other.
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
from gan_jax.data.codecs import Codec, Pixels, Tiles
from gan_jax.losses.conditionals import Categorical, Conditional, LogisticMixture
from gan_jax.losses.likelihoods import bits_per_dim
from gan_jax.utils.tree import PyTree


@dataclass(frozen=True, kw_only=True)
class Autoregressive(Algorithm):
    """A network that says of each pixel what those before it leave open, such as `pixelcnn`.

    Attributes:
        image_codec: of the data.
    """

    roles: ClassVar[tuple[Role, ...]] = ("generator",)

    image_codec: Codec = dataclasses.field(default_factory=Pixels)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(hasattr(self.generator, method) for method in ("row", "pixel")):
            raise ValueError("the generator has no methods row and pixel: autoregressive takes pixelcnn")

    def check_fields(self, fields: Mapping[str, Any]) -> None:
        """Mixtures are of the levels of pixels, logits of the kinds of tiles."""
        tiles = isinstance(self.image_codec, Tiles)
        if not tiles and self.image_codec != Pixels():
            raise ValueError(
                "the likelihood is of the 256 levels of pixels, or of kinds of tiles, and the data are "
                f"{self.image_codec.noun}: use another method, such as vae"
            )
        if tiles != self.generator.categorical:
            raise ValueError(
                f"generator.categorical={self.generator.categorical}, and the data are "
                f"{self.image_codec.noun}: set generator.categorical={tiles}"
            )

    @property
    def conditional(self) -> Conditional:
        """What the network says of each place."""
        net = self.generator
        channels = net.image_shape[2]
        return Categorical(channels) if net.categorical else LogisticMixture(net.components, channels)

    @property
    def bits_kind(self) -> str:
        return "exact"

    @property
    def evaluations(self) -> int:
        """One for each pixel; together they are one pass of the network."""
        return math.prod(self.generator.image_shape[:2])

    def examples(self, batch: Batch) -> dict[Role, tuple[Any, ...]]:
        return {"generator": (batch["image"], self.conditioning(batch, None))}

    def updates(self) -> tuple[Update, ...]:
        return (Update("generator", self.negative_log_likelihood),)

    def negative_log_likelihood(
        self, params: PyTree, state: TrainState, batch: Batch, key: Key
    ) -> tuple[Array, LossOut]:
        """In bits per dimension."""
        loss = jnp.mean(self._bits(params, state.generator.stats, state, batch, key))
        return loss, LossOut(metrics={"bits_per_dim": loss})

    def _bits(self, params: PyTree, stats: PyTree, state: TrainState, batch: Batch, key: Key | None) -> Array:
        image, told = batch["image"], self.conditioning(batch, state)
        said, _ = self.apply(self.generator, params, stats, image, told, key=key, train=key is not None)
        each = self.conditional.log_prob(said, image)
        dimensions = self.conditional.dimensions(image.shape[1:])
        return bits_per_dim(jnp.sum(each, axis=(1, 2)), dimensions, dequantised=False)

    def bits(self, state: TrainState, batch: Batch, key: Key) -> Array:
        return self._bits(state.ema["params"], state.ema["stats"], state, batch, None)

    def sample(self, state: TrainState, batch: Batch, key: Key) -> Array | dict[str, Array]:
        """Images pixel by pixel; each layer is computed once for each pixel, from what it computed before."""
        count, _, width, channels = batch["image"].shape
        told = self.conditioning(batch, state)
        net, dtype = self.generator, jnp.float32
        widths = [channels + 1, *[net.width] * (net.layers - 1)]
        params, stats = state.ema["params"], state.ema["stats"]

        def asked(method: str, x: Array, *others: Any) -> Any:
            return self.apply(net, params, stats, x, *others, key=None, train=False, method=method)[0]

        def draw_pixel(carry: PyTree, here: PyTree) -> tuple[PyTree, Array]:
            seen, left = carry
            links, *noise = here
            said, left = asked("pixel", seen, left, links)
            pixel = self.conditional.draw(said, *noise)
            return (_with_ones(pixel)[:, None, None], left), pixel

        def draw_row(carry: PyTree, noise: tuple[Array, ...]) -> tuple[PyTree, Array]:
            seen, above = carry
            links, above = asked("row", seen, above, told)
            left = [jnp.zeros((count, 1, net.kept, n), dtype) for n in widths]
            first = jnp.zeros((count, 1, 1, channels + 1), dtype)
            by_pixel = [jnp.moveaxis(link, 2, 0)[:, :, :, None] for link in links]
            _, row = jax.lax.scan(draw_pixel, (first, left), (by_pixel, *noise))
            row = jnp.moveaxis(row, 0, 1)
            return (_with_ones(row)[:, None], above), row

        above = [jnp.zeros((count, net.kept, width, n), dtype) for n in widths]
        first = jnp.zeros((count, 1, width, channels + 1), dtype)
        drawn = tuple(jnp.moveaxis(x, 0, 2) for x in self.noise(key, batch))  # [H, W, B, ...]
        _, rows = jax.lax.scan(draw_row, (first, above), drawn)
        return jnp.moveaxis(rows, 0, 1)

    def noise(self, key: Key, batch: Batch) -> tuple[Array, ...]:
        """All that is random in images, by example: as `Conditional.noise`, [B, H, W, ...]."""
        count, height, width = batch["image"].shape[:3]
        keys = example_keys(key, count, self.axis_name)
        drawn = jax.vmap(lambda key: self.conditional.noise(key, (height, width)))(keys)
        return tuple(self.split(x) for x in drawn)

    def draw(self, state: TrainState, latent: Array, conditioning: PyTree) -> Array:
        """There are no latents.

        Raises:
            ValueError: always.
        """
        raise ValueError("autoregressive models draw pixel by pixel and have no latents: use sample")


def _with_ones(pixels: Array) -> Array:
    """As `models.pixelcnn.with_ones`, of pixels that were drawn."""
    return jnp.concatenate([pixels, jnp.ones((*pixels.shape[:-1], 1))], axis=-1)
