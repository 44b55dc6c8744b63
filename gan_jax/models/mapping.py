"""Mapping networks, and the base of the generators whose layers are controlled by styles.

Karras et al. 2019, "A style-based generator architecture for generative adversarial networks",
arXiv:1812.04948, and 2020, arXiv:1912.04958. Compared with github.com/NVlabs/stylegan2-ada-pytorch.
Deliberate deviations:
- Each example of a batch has a style mix and a cut of its own; the official code draws one for all.
- The mean style moves with the generator's own descents only, not with all passes in training.
"""

from __future__ import annotations

from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.core.collectives import gather_batch
from gan_jax.core.randomness import example_keys
from gan_jax.models.layers.conditioning import check_label, choose_condition
from gan_jax.models.layers.equalised import Equalised
from gan_jax.models.layers.layers import Dense
from gan_jax.models.layers.norms import PixelNorm
from gan_jax.models.layers.precision import at_least_float32
from gan_jax.utils.checks import check_count, check_range

Array = jax.Array

MEAN_DECAY = 0.995  # of the mean style, each time that it moves
PLAIN = Equalised(gain=1.0)


def leaky(x: Array) -> Array:
    """Leaky ReLU 0.2 times sqrt(2), which keeps the variance."""
    return jax.nn.leaky_relu(x, 0.2) * 2**0.5


def label_of(told: Any) -> Array | None:
    """The label [B] among what a network is told: itself, or a dict's "label"."""
    return told["label"] if isinstance(told, dict) else told


class Mapping(nn.Module):
    """Latents [B, L], labels [B] or both -> w [B, features], computed in float32.

    Latents are normalised to a mean square of 1; labels are embedded, normalised likewise and joined to them.

    Attributes:
        features: the width of all layers.
        layers: dense layers with leaky ReLU.
        learning_rate: of the layers, as a part of the network's.
        num_classes: of the labels; None for none.
        embedding_size: numbers that a label becomes.
    """

    features: int
    layers: int
    learning_rate: float = 0.01
    num_classes: int | None = None
    embedding_size: int = 512

    @nn.compact
    def __call__(self, latent: Array | None, label: Array | None) -> Array:
        parts = [] if latent is None else [PixelNorm()(at_least_float32(latent))]
        if self.num_classes is not None:
            code = jax.nn.one_hot(label, self.num_classes)
            embedded = Dense(self.embedding_size, equalised=PLAIN, name="embedding")(code)
            parts.append(PixelNorm()(embedded))
        x = jnp.concatenate(parts, axis=-1)
        equalised = Equalised(gain=1.0, lr_multiplier=self.learning_rate)
        for index in range(self.layers):
            x = leaky(Dense(self.features, equalised=equalised, name=f"layer_{index}")(x))
        return x


class StyleGenerator(nn.Module):
    """Base of the style generators: latents [B, L] -> styles w [B, layers, D] -> images [B, *image_shape].

    A generator of this kind says in `make_synthesis` what makes images of styles, and in `style_layers` how
    many of them. In training each example's first layers have its own style and the others, with
    probability `style_mixing`, that of another latent, which is drawn here (standard normal); and the mean of
    all first styles moves the collection {"styles": {"mean": [D]}}.

    Attributes:
        image_shape: (height, width, channels).
        condition: "none", or "embedding" (of the label, in the mapping network), which is what "auto" is for
            data with classes.
        num_classes: of the data.
        embedding_size: of condition="embedding".
        style_size: D, the width of the mapping network.
        mapping_layers: its depth.
        mapping_learning_rate: of its layers, as a part of the generator's.
        style_mixing: probability that an example has two styles in training.
        remat: whether gradients keep only the blocks' inputs, see `models.layers.remat`.
        axis_name: the mapped axis that splits the batch.
    """

    CONDITIONS: ClassVar[tuple[str, ...]] = ("none", "embedding")

    image_shape: tuple[int, int, int]
    condition: str = "none"
    num_classes: int | None = None
    embedding_size: int = 512
    style_size: int = 512
    mapping_layers: int = 8
    mapping_learning_rate: float = 0.01
    style_mixing: float = 0.9
    remat: bool = False
    axis_name: str | None = None

    def __post_init__(self) -> None:
        choose_condition(self, "embedding")
        super().__post_init__()

    @property
    def conditional(self) -> bool:
        """Whether the network looks at the label."""
        return self.condition != "none"

    @property
    def of_batch(self) -> str:
        """Why a mini-batch cannot be cut into parts."""
        return "remembers the mean style of the whole mini-batch: use a generator without styles"

    @property
    def style_layers(self) -> int:
        """How many layers of styles the synthesis network takes, at least 2."""
        raise NotImplementedError(f"{type(self).__name__} must say how many styles it takes")

    def make_synthesis(self) -> nn.Module:
        """A network (styles [B, layers, D], told, train) -> images [B, *image_shape]."""
        raise NotImplementedError(f"{type(self).__name__} must say what makes images of styles")

    def setup(self) -> None:
        check_count(self.style_size, "style_size")
        check_count(self.mapping_layers, "mapping_layers")
        check_count(self.embedding_size, "embedding_size")
        check_range(self.style_mixing, "style_mixing", 0.0, 1.0)
        self.mapping_network = Mapping(
            self.style_size,
            self.mapping_layers,
            self.mapping_learning_rate,
            self.num_classes if self.conditional else None,
            self.embedding_size,
        )
        self.synthesis_network = self.make_synthesis()
        self.mean = self.variable("styles", "mean", jnp.zeros, (self.style_size,))

    def __call__(self, latent: Array, told: Any, train: bool) -> Array:
        """Images of these latents: `synthesis` of their `mapping`."""
        return self.synthesis(self.mapping(latent, told, train), told, train)

    def mapping(self, latent: Array, told: Any, train: bool) -> Array:
        """Styles w [B, layers, D], in the latents' precision; one for all layers but for mixes in training.

        Args:
            latent: [B, L].
            told: labels int32 [B], a dict with them as "label", or anything if `condition` is "none".
        """
        label = label_of(told)
        check_label(self.condition, self.CONDITIONS, self.num_classes, label, latent.shape[0])
        w = self.mapping_network(latent, label)
        if train and self.is_mutable_collection("styles"):
            now = jnp.mean(gather_batch(jax.lax.stop_gradient(w), self.axis_name), axis=0)
            self.mean.value = now + MEAN_DECAY * (self.mean.value - now)
        styles = jnp.repeat(w[:, None], self.style_layers, axis=1)
        if train and self.style_mixing > 0.0 and self.has_rng("noise"):
            styles = self._mixed(styles, latent, label)
        return styles.astype(latent.dtype)

    def synthesis(self, styles: Array, told: Any, train: bool) -> Array:
        """Images [B, *image_shape] of styles [B, layers, D]."""
        return self.synthesis_network(styles, told, train)

    def _mixed(self, styles: Array, latent: Array, label: Array | None) -> Array:
        """Styles of which some examples' last layers are another latent's (arXiv:1812.04948, section 3.1)."""
        count, layers = styles.shape[:2]
        keys = example_keys(self.make_rng("noise"), count, self.axis_name)

        def draw(key: Array) -> tuple[Array, Array]:
            latent_key, cut_key, whether_key = jax.random.split(key, 3)
            cut = jax.random.randint(cut_key, (), 1, layers)
            mixes = jax.random.bernoulli(whether_key, self.style_mixing)
            return jax.random.normal(latent_key, latent.shape[1:]), jnp.where(mixes, cut, layers)

        others, cuts = jax.vmap(draw)(keys)
        first = jnp.arange(layers) < cuts[:, None]
        return jnp.where(first[..., None], styles, self.mapping_network(others, label)[:, None])
