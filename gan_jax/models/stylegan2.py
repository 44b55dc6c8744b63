"""StyleGAN2's networks, of any image size.

Karras, Laine, Aittala, Hellsten, Lehtinen, Aila 2020, "Analyzing and improving the image quality of
StyleGAN", arXiv:1912.04958, sections 2 to 4 and appendix B, as Karras et al. 2020, arXiv:2006.06676, trains
them. Compared with github.com/NVlabs/stylegan2-ada-pytorch, training/networks.py. The levels are those of
`layers.levels`: sides are halved as often as they can be, and need no power of two.

Deliberate deviations, beside those of `models.mapping`:
- Layers are computed in bfloat16 where the run is, not in float16 at the highest four levels; so nothing is
  clamped to +-256.
- Without the stream "noise", as pictures are drawn, noise is one fixed map for each layer. The official code
  draws its snapshots so, and new noise for each image where it measures.
"""

from __future__ import annotations

from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.models.layers.conditioning import check_label, choose_condition, join_minibatch
from gan_jax.models.layers.fir import fir_up
from gan_jax.models.layers.layers import Conv, Dense
from gan_jax.models.layers.levels import level_sizes
from gan_jax.models.layers.modulated import Modulated, Noise
from gan_jax.models.layers.precision import add_bias, at_least_float32
from gan_jax.models.layers.remat import remat_block
from gan_jax.models.mapping import PLAIN, Mapping, StyleGenerator, label_of, leaky
from gan_jax.utils.checks import check_count

Array = jax.Array

TAPS = (1.0, 3.0, 3.0, 1.0)
MINIBATCH = ("none", "stddev", "stddev_strided")  # what the discriminator's `minibatch` may be


def width_at(level: int, base: int, most: int) -> int:
    """Channels at a level, 0 being the lowest: base / 4, base / 8, ..., and no more than `most`.

    In the official code base / side, where the lowest level has 4 pixels a side.

    Raises:
        ValueError: nothing is left, or a number that is no count.
    """
    check_count(base, "width_base")
    check_count(most, "width_max")
    if base < 4 * 2**level:
        raise ValueError(
            f"width_base={base}: level {level} has none of its channels: set at least {4 * 2**level}"
        )
    return min(base // (4 * 2**level), most)


class StyleGAN2Generator(StyleGenerator):
    """Latents [B, L] -> images [B, *image_shape], linear: nothing keeps them in [-1, 1].

    A learned constant; at each level modulated convolutions with noise, the first of which doubles the
    resolution; the image is the sum of what each level adds to that of the level before.
    30,370,060 parameters at 1024x1024 in colour, with latents of 512.

    Attributes, beside those of `StyleGenerator`:
        width_base: the lowest level has width_base / 4 channels, each other half as many as the one before,
            ...
        width_max: ... and no more than these.
    """

    width_base: int = 32_768
    width_max: int = 512

    @property
    def style_layers(self) -> int:
        """Two for each level."""
        return 2 * len(level_sizes(self.image_shape[:2]))

    def make_synthesis(self) -> nn.Module:
        return Synthesis(
            self.image_shape, self.width_base, self.width_max, remat=self.remat, axis_name=self.axis_name
        )


class Synthesis(nn.Module):
    """Styles [B, layers, D] -> images [B, *image_shape], see `StyleGAN2Generator`."""

    image_shape: tuple[int, int, int]
    width_base: int
    width_max: int
    remat: bool = False
    axis_name: str | None = None

    @nn.compact
    def __call__(self, styles: Array, told: Any, train: bool) -> Array:
        """float32 images.

        The maps are of the styles' precision; what styles become, and the sum of the images, is float32.
        """
        sizes = level_sizes(self.image_shape[:2])
        if styles.ndim != 3 or styles.shape[1] != 2 * len(sizes):
            raise ValueError(
                f"images {self.image_shape} are made of styles [B, {2 * len(sizes)}, D], not {styles.shape}"
            )
        constant = self.param("constant", nn.initializers.normal(1.0), (*sizes[0], self._width(0)))
        x = jnp.broadcast_to(constant.astype(styles.dtype), (styles.shape[0], *constant.shape))
        styles = at_least_float32(styles)
        image: Any = None
        for level, (height, _) in enumerate(sizes):

            def grow(
                net: Synthesis, x: Array, styles: Array, level: int = level, height: int = height
            ) -> Array:
                if level > 0:
                    up = StyledConv(net._width(level), True, net.axis_name, name=f"up_{height}")
                    x = up(x, styles[:, 2 * level - 1])
                conv = StyledConv(net._width(level), False, net.axis_name, name=f"conv_{height}")
                return conv(x, styles[:, 2 * level])

            x = remat_block(self, grow, x, styles)
            # Its style is also that of the next level's first convolution.
            to_image = ToImage(self.image_shape[2], name=f"to_image_{height}")
            added = to_image(x, styles[:, 2 * level + 1])
            image = added if image is None else fir_up(image, TAPS) + added
        return image

    def _width(self, level: int) -> int:
        return width_at(level, self.width_base, self.width_max)


class StyledConv(nn.Module):
    """Maps [B, H, W, C] and styles w [B, D] -> modulated convolution 3x3, noise, bias, leaky ReLU.

    Attributes:
        features: channels of the output.
        up: whether to double the resolution.
        axis_name: the mapped axis that splits the batch.
    """

    features: int
    up: bool
    axis_name: str | None

    @nn.compact
    def __call__(self, x: Array, w: Array) -> Array:
        x = Modulated(self.features, up=self.up, taps=TAPS, name="conv")(x, scales(w, x.shape[-1]))
        x = Noise(axis_name=self.axis_name, name="noise")(x)
        return leaky(add_bias(x, self.param("bias", nn.initializers.zeros, (self.features,))))


class ToImage(nn.Module):
    """Maps [B, H, W, C] and styles w [B, D] -> float32 images [B, H, W, channels], linear."""

    channels: int

    @nn.compact
    def __call__(self, x: Array, w: Array) -> Array:
        x = Modulated(self.channels, 1, demodulate=False, name="conv")(x, scales(w, x.shape[-1]))
        bias = self.param("bias", nn.initializers.zeros, (self.channels,))
        return at_least_float32(x) + bias


def scales(w: Array, channels: int) -> Array:
    """Styles [B, D] -> a scale for each channel, [B, channels], around 1: the layer "style" of the caller."""
    return Dense(channels, equalised=PLAIN, bias_init=nn.initializers.ones, name="style")(w)


class StyleGAN2Discriminator(nn.Module):
    """Images [B, H, W, C] -> logits [B].

    29,012,513 parameters at 1024x1024 in colour.

    Attributes:
        condition: "none", or "projection": the inner product of the last features with the label's code from
            a mapping network, divided by the root of their number. "auto" is that for data with classes.
        num_classes: of the data.
        residual: whether each level has a skip connection; the official code's "cifar" has none.
        mapping_layers: depth of the label's mapping network.
        mapping_learning_rate: of its layers, as a part of the discriminator's.
        minibatch: "none", "stddev" or "stddev_strided", joined to the lowest maps, see `join_minibatch`.
        minibatch_group: examples in a group of it.
        width_base: the lowest level has width_base / 4 channels, each other half as many as the one before,
            ...
        width_max: ... and no more than these.
        remat: whether gradients keep only the levels' inputs, see `models.layers.remat`.
        axis_name: the mapped axis that splits the batch.
    """

    CONDITIONS: ClassVar[tuple[str, ...]] = ("none", "projection")

    condition: str = "none"
    num_classes: int | None = None
    residual: bool = True
    mapping_layers: int = 8
    mapping_learning_rate: float = 0.01
    minibatch: str = "stddev_strided"
    minibatch_group: int = 4
    width_base: int = 32_768
    width_max: int = 512
    remat: bool = False
    axis_name: str | None = None

    def __post_init__(self) -> None:
        choose_condition(self, "projection")
        super().__post_init__()

    @property
    def conditional(self) -> bool:
        """Whether the network looks at the label."""
        return self.condition != "none"

    @nn.compact
    def __call__(self, image: Array, told: Any, train: bool) -> Array:
        label = label_of(told)
        check_label(self.condition, self.CONDITIONS, self.num_classes, label, image.shape[0])
        if self.minibatch not in MINIBATCH:
            raise ValueError(f"minibatch={self.minibatch!r} is not one of {', '.join(MINIBATCH)}")
        sizes = level_sizes((image.shape[1], image.shape[2]))
        top = len(sizes) - 1
        x = leaky(Conv(self._width(top), 1, equalised=PLAIN, name="from_image")(image))
        for level in range(top, 0, -1):

            def shrink(net: StyleGAN2Discriminator, x: Array, level: int = level) -> Array:
                return net.halved(x, net._width(level - 1), sizes[level][0])

            x = remat_block(self, shrink, x)
        return self._logits(x, label)

    def halved(self, x: Array, features: int, height: int) -> Array:
        """The maps of the level below those of this height."""
        fir: dict[str, Any] = dict(halve=True, taps=TAPS, equalised=PLAIN)
        y = leaky(Conv(x.shape[3], 3, equalised=PLAIN, name=f"conv_{height}")(x))
        y = leaky(Conv(features, 3, **fir, name=f"down_{height}")(y))
        if not self.residual:
            return y
        skip = Conv(features, 1, use_bias=False, **fir, name=f"skip_{height}")
        return (skip(x) + y) / 2**0.5

    def _logits(self, x: Array, label: Array | None) -> Array:
        """What is said of the lowest maps; in float32, as what compares examples needs it."""
        width = x.shape[3]
        x = join_minibatch(at_least_float32(x), self.minibatch, 0, self.minibatch_group, self.axis_name)
        x = leaky(Conv(width, 3, equalised=PLAIN, name="last_conv")(x))
        x = leaky(Dense(width, equalised=PLAIN, name="hidden")(x.reshape(x.shape[0], -1)))
        if not self.conditional:
            return Dense(1, equalised=PLAIN, name="dense")(x)[:, 0]
        code = Mapping(
            width, self.mapping_layers, self.mapping_learning_rate, self.num_classes, width, name="mapping"
        )(None, label)
        return jnp.sum(Dense(width, equalised=PLAIN, name="dense")(x) * code, axis=-1) / width**0.5

    def _width(self, level: int) -> int:
        return width_at(level, self.width_base, self.width_max)
