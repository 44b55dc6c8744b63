"""R3GAN's networks: residual blocks of grouped convolutions without any normalisation, of any image size.

Huang, Gokaslan, Kuleshov, Tompkin 2024, "The GAN is dead; long live the GAN! A modern GAN baseline",
arXiv:2501.05441, section 4 and appendix; compared with R3GAN/Networks.py of github.com/brownvc/R3GAN. Levels
are those of `layers.levels`: sides are halved as often as they can be, and need no power of two; the basis
has the size of the lowest level (the code's is 4x4). The code computes the three or four highest levels in
bfloat16; here `execution.precision` is of the whole network.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.models.layers.conditioning import check_label, choose_condition
from gan_jax.models.layers.fir import fir_down, fir_up
from gan_jax.models.layers.layers import Conv, Dense, Embed, Initializer
from gan_jax.models.layers.levels import level_sizes
from gan_jax.models.layers.precision import at_least_float32
from gan_jax.models.layers.remat import remat_block
from gan_jax.utils.checks import check_count, check_widths

Array = jax.Array
Size = tuple[int, int]

TAPS = (1.0, 3.0, 3.0, 1.0)
LEAKY_GAIN = (2 / (1 + 0.2**2)) ** 0.5  # keeps the variance through a leaky ReLU of 0.2
leaky_relu = partial(jax.nn.leaky_relu, negative_slope=0.2)


def msr(gain: float = 1.0) -> Initializer:
    """Normal weights with deviation gain / sqrt(fan in)."""
    return nn.initializers.variance_scaling(gain**2, "fan_in", "normal")


class ResidualBlock(nn.Module):
    """x + 1x1(act(grouped 3x3(act(1x1(x))))), where only what is activated has biases; at the start it is x.

    Attributes:
        cardinality: groups of the 3x3 convolution.
        expansion: channels inside as a multiple of the input's.
        blocks: in the whole network: the more, the smaller its weights are at the start.
    """

    cardinality: int
    expansion: int
    blocks: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        init = msr(LEAKY_GAIN * self.blocks**-0.25)
        inner = self.expansion * x.shape[3]
        y = leaky_relu(Conv(inner, 1, kernel_init=init, name="conv_0")(x))
        middle = Conv(inner, 3, groups=self.cardinality, kernel_init=init, name="conv_1")
        y = leaky_relu(middle(y))
        last = Conv(x.shape[3], 1, use_bias=False, kernel_init=nn.initializers.zeros, name="conv_2")
        return x + last(y)


class Stages(nn.Module):
    """What both networks share: their fields, and a level's blocks.

    Attributes:
        condition: how a label enters; "auto" is the network's own way, and "none" for data without classes.
        num_classes: of the data.
        widths: channels of each level.
        cardinality: of each level: groups of its 3x3 convolutions.
        blocks: on each level.
        expansion: channels inside a block as a multiple of the level's.
        remat: whether gradients keep only the levels' inputs, see `models.layers.remat`.
        axis_name: the mapped axis that splits the batch.
    """

    CONDITIONS: ClassVar[tuple[str, ...]] = ()

    condition: str = "none"
    num_classes: int | None = None
    widths: tuple[int, ...] = (768, 768, 768, 768)
    cardinality: tuple[int, ...] = (96, 96, 96, 96)
    blocks: int = 2
    expansion: int = 2
    remat: bool = False
    axis_name: str | None = None

    def __post_init__(self) -> None:
        choose_condition(self, self.CONDITIONS[-1])
        super().__post_init__()

    @property
    def conditional(self) -> bool:
        """Whether the network looks at the label."""
        return self.condition != "none"

    def _levels(self, height: int, width: int) -> list[Size]:
        """The levels' sizes, the lowest first.

        Raises:
            ValueError: widths or cardinalities of another number of levels, and what else is no network.
        """
        check_widths(self.widths)
        check_count(self.blocks, "blocks")
        check_count(self.expansion, "expansion")
        sizes = level_sizes((height, width))
        for field, value in (("widths", self.widths), ("cardinality", self.cardinality)):
            if not isinstance(value, tuple) or len(value) != len(sizes):
                named = ", ".join(f"{h}x{w}" for h, w in sizes)
                raise ValueError(
                    f"{field}={value!r}: images of {height}x{width} have {len(sizes)} levels ({named}); "
                    "give a number for each"
                )
        return sizes

    def _stage(self, x: Array, level: int, height: int) -> Array:
        """The blocks of a level, number `level` of `widths`, whose maps have that height."""
        total = self.blocks * len(self.widths)
        for index in range(self.blocks):
            block = ResidualBlock(
                self.cardinality[level], self.expansion, total, name=f"block_{height}_{index}"
            )
            x = block(x)
        return x


class R3GANGenerator(Stages, kw_only=True):
    """Latents [B, L] -> images [B, *image_shape], linear: nothing keeps them in [-1, 1].

    20,732,160 parameters at 32x32 in colour with latents of 64, and 49,792 more for ten classes.

    Attributes, beside those of `Stages`:
        image_shape: (height, width, channels).
        condition: "none" or "embedding" (of the label, joined to the latent).
        widths: from the lowest level up, and so is `cardinality`.
        embedding_size: of condition="embedding".
    """

    CONDITIONS: ClassVar[tuple[str, ...]] = ("none", "embedding")

    image_shape: tuple[int, int, int]
    embedding_size: int = 64

    @nn.compact
    def __call__(self, latent: Array, label: Array | None, train: bool) -> Array:
        check_label(self.condition, self.CONDITIONS, self.num_classes, label, latent.shape[0])
        height, width, channels = self.image_shape
        sizes = self._levels(height, width)
        x = latent
        if self.conditional:
            assert label is not None  # both were checked by `check_label`
            assert self.num_classes is not None
            check_count(self.embedding_size, "embedding_size")
            # As a dense layer of one-hot labels has it: its fan in is the number of classes.
            init = nn.initializers.normal(self.num_classes**-0.5)
            code = Embed(self.num_classes, self.embedding_size, init, name="embedding")(label)
            x = jnp.concatenate([x, code.astype(x.dtype)], axis=-1)
        for level, size in enumerate(sizes):

            def stage(self: R3GANGenerator, x: Array, level: int = level, size: Size = size) -> Array:
                x = self._basis(x, size) if level == 0 else self._up(x, level, size)
                return self._stage(x, level, size[0])

            x = remat_block(self, stage, x)
        output = Conv(channels, 1, use_bias=False, kernel_init=msr(), name="output")
        return at_least_float32(output(x))

    def _basis(self, x: Array, size: Size) -> Array:
        """Learned maps of the lowest level, each times a number made of the vectors."""
        basis = self.param("basis", nn.initializers.normal(1.0), (*size, self.widths[0]))
        factors = Dense(self.widths[0], use_bias=False, kernel_init=msr(), name="dense")(x)
        return basis.astype(x.dtype) * factors[:, None, None, :]

    def _up(self, x: Array, level: int, size: Size) -> Array:
        features = self.widths[level]
        if features == x.shape[3]:
            return fir_up(x, TAPS)
        up = Conv(
            features, 1, double=size, taps=TAPS, use_bias=False, kernel_init=msr(), name=f"up_{size[0]}"
        )
        return up(x)


class R3GANDiscriminator(Stages):
    """Images [B, H, W, C] -> logits [B]; the generator's mirror image.

    20,683,776 parameters at 32x32 in colour, 21,280,512 with ten classes.

    Attributes, beside those of `Stages`:
        condition: "none" or "projection" (the logit is the inner product of the last features with an
            embedding of the label).
        widths: from the image down, and so is `cardinality`.
    """

    CONDITIONS: ClassVar[tuple[str, ...]] = ("none", "projection")

    @nn.compact
    def __call__(self, image: Array, label: Array | None, train: bool) -> Array:
        check_label(self.condition, self.CONDITIONS, self.num_classes, label, image.shape[0])
        sizes = self._levels(image.shape[1], image.shape[2])[::-1]
        x = Conv(self.widths[0], 1, use_bias=False, kernel_init=msr(), name="input")(image)
        for level, (height, _) in enumerate(sizes):

            def stage(self: R3GANDiscriminator, x: Array, level: int = level, height: int = height) -> Array:
                x = self._stage(x, level, height)
                return x if level + 1 == len(self.widths) else self._down(x, level, height)

            x = remat_block(self, stage, x)
        return self._logits(x, label)

    def _down(self, x: Array, level: int, height: int) -> Array:
        features = self.widths[level + 1]
        if features == x.shape[3]:
            return fir_down(x, TAPS)
        down = Conv(
            features, 1, halve=True, taps=TAPS, use_bias=False, kernel_init=msr(), name=f"down_{height}"
        )
        return down(x)

    def _logits(self, x: Array, label: Array | None) -> Array:
        """Of the lowest maps, computed in float32."""
        x = at_least_float32(x)
        _, height, width, channels = x.shape
        init = nn.initializers.normal((height * width) ** -0.5)
        basis = self.param("basis", init, (height, width, channels))
        features = jnp.sum(x * basis, (1, 2))  # a convolution of each channel by itself
        outputs = channels if self.conditional else 1
        y = Dense(outputs, use_bias=False, kernel_init=msr(), name="dense")(features)
        if not self.conditional:
            return y[:, 0]
        assert label is not None  # both were checked by `check_label`
        assert self.num_classes is not None
        init = nn.initializers.normal((self.num_classes * channels) ** -0.5)
        return jnp.sum(y * Embed(self.num_classes, channels, init, name="projection")(label), axis=-1)
