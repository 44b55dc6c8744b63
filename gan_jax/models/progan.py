"""The networks of progressive growing (ProGAN), of any image size.

Karras, Aila, Laine, Lehtinen 2018, arXiv:1710.10196, table 2 and section 4; compared with networks.py of
tkarras/progressive_growing_of_gans. Levels are those of `layers.levels`: sides are halved as often as they
can be, and need no power of two. Deviations: the first dense layer's gain is sqrt(2 / (h w)) for a lowest
level of h x w pixels, the code's sqrt(2) / 4 at 4x4; strided groups for the deviation of the minibatch are
an option, neighbours the default.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.models.layers.conditioning import (
    INPUTS,
    JoinLabel,
    check_label,
    choose_condition,
    join_minibatch,
)
from gan_jax.models.layers.equalised import Equalised
from gan_jax.models.layers.fir import fir
from gan_jax.models.layers.growing import (
    box_down,
    faded,
    grown_image,
    level_at,
    level_width,
    told_apart,
    top_level,
)
from gan_jax.models.layers.layers import Conv, Dense, Embed
from gan_jax.models.layers.levels import level_sizes
from gan_jax.models.layers.norms import PixelNorm
from gan_jax.models.layers.precision import add_bias, at_least_float32
from gan_jax.models.layers.remat import remat_block
from gan_jax.utils.checks import check_count

Array = jax.Array

LINEAR = Equalised(gain=1.0)
MINIBATCH = ("none", "stddev", "stddev_strided")  # what a discriminator's `minibatch` may be
leaky_relu = partial(jax.nn.leaky_relu, negative_slope=0.2)


class ProGANGenerator(nn.Module):
    """Latents [B, L] -> images [B, *image_shape], linear: nothing keeps them in [-1, 1].

    23,079,115 parameters at 1024x1024 in colour, with latents of 512.

    Attributes:
        image_shape: (height, width, channels).
        condition: "none", "embedding", "one_hot" (both join the label to the latent); "auto" is "embedding",
            and "none" for data without classes.
        num_classes: of the data.
        embedding_size: of condition="embedding".
        width_base: level n has width_base / 2^(n + 1) channels, the lowest being 0, ...
        width_max: ... and no more than these.
        resolution: the height of the level up to which it has grown; 0 for all. The images are always of
            `image_shape`, pixels repeated.
        remat: whether gradients keep only the levels' inputs, see `models.layers.remat`.
        axis_name: the mapped axis that splits the batch.
    """

    CONDITIONS: ClassVar[tuple[str, ...]] = ("none", *INPUTS)

    image_shape: tuple[int, int, int]
    condition: str = "none"
    num_classes: int | None = None
    embedding_size: int = 50
    width_base: int = 8192
    width_max: int = 512
    resolution: int = 0
    remat: bool = False
    axis_name: str | None = None

    def __post_init__(self) -> None:
        choose_condition(self, "embedding")
        level_at(self.resolution, level_sizes((self.image_shape[0], self.image_shape[1])))
        super().__post_init__()

    @property
    def conditional(self) -> bool:
        """Whether the network looks at the label."""
        return self.condition != "none"

    @nn.compact
    def __call__(self, latent: Array, told: object, train: bool) -> Array:
        label, fade = told_apart(told)
        check_label(self.condition, self.CONDITIONS, self.num_classes, label, latent.shape[0])
        sizes = level_sizes((self.image_shape[0], self.image_shape[1]))
        top = top_level(self, sizes)
        join = JoinLabel(self.condition, self.num_classes, self.embedding_size, name="label")
        x = PixelNorm()(join(latent, label, train))
        maps = []
        for level in range(top + 1):

            def grow(self: ProGANGenerator, x: Array, level: int = level) -> Array:
                size, width = sizes[level], level_width(level, self.width_base, self.width_max)
                if level == 0:
                    x = self._enter(x, size, width)
                else:
                    up = Conv(width, 3, double=size, equalised=Equalised(), name=f"up_{size[0]}")
                    x = PixelNorm()(leaky_relu(up(x)))
                conv = Conv(width, 3, equalised=Equalised(), name=f"conv_{size[0]}")
                return PixelNorm()(leaky_relu(conv(x)))

            x = remat_block(self, grow, x)
            maps.append(x)

        def to_image(x: Array, level: int) -> Array:
            name = f"to_image_{sizes[level][0]}"
            return at_least_float32(Conv(self.image_shape[2], 1, equalised=LINEAR, name=name)(x))

        if self.is_initializing():  # those of all levels; once trained, only those in use
            return [to_image(x, level) for level, x in enumerate(maps)][-1]
        return grown_image(maps, fade, sizes[-1], to_image)

    def _enter(self, x: Array, size: tuple[int, int], width: int) -> Array:
        """Maps of the lowest level, made of vectors."""
        pixels = size[0] * size[1]
        equalised = Equalised(gain=(2 / pixels) ** 0.5)
        dense = Dense(pixels * width, use_bias=False, equalised=equalised, name="dense")
        bias = self.param("dense_bias", nn.initializers.zeros, (width,))
        return PixelNorm()(leaky_relu(add_bias(dense(x).reshape(-1, *size, width), bias)))


class ProGANDiscriminator(nn.Module):
    """Images [B, H, W, C] -> logits [B], or (logits [B], auxiliary outputs [B, n]) with `auxiliary` = n.

    23,087,249 parameters at 1024x1024 in colour. The images are as large as the data's, whatever
    `resolution` is.

    Attributes:
        condition: "none" or "projection" (to the logits comes the inner product of the last features with an
            embedding of the label, divided by the root of their number); "auto" is that, and "none" for
            data without classes.
        num_classes: of the data.
        auxiliary: number of further outputs; 0 for none, and for as many as classes where the classes are
            trained.
        minibatch: "none", "stddev" or "stddev_strided", joined to the lowest maps, see `join_minibatch`.
        minibatch_group: examples in a group of it.
        blur: StyleGAN's filter (1, 2, 1) before each halving (Karras et al. 2019, arXiv:1812.04948).
        width_base: level n has width_base / 2^(n + 1) channels, the lowest being 0, ...
        width_max: ... and no more than these.
        resolution: the height of the level up to which it has grown; 0 for all.
        remat: whether gradients keep only the levels' inputs, see `models.layers.remat`.
        axis_name: the mapped axis that splits the batch.
    """

    CONDITIONS: ClassVar[tuple[str, ...]] = ("none", "projection")

    condition: str = "none"
    num_classes: int | None = None
    auxiliary: int = 0
    minibatch: str = "stddev"
    minibatch_group: int = 4
    blur: bool = False
    width_base: int = 8192
    width_max: int = 512
    resolution: int = 0
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
    def __call__(self, image: Array, told: object, train: bool) -> Array | tuple[Array, Array]:
        label, fade = told_apart(told)
        check_label(self.condition, self.CONDITIONS, self.num_classes, label, image.shape[0])
        sizes = level_sizes((image.shape[1], image.shape[2]))
        top = top_level(self, sizes)

        def from_image(level: int) -> Array:
            height = sizes[level][0]
            name = f"from_image_{height}"
            conv = Conv(self._width(level), 1, equalised=Equalised(), name=name)
            return leaky_relu(conv(box_down(image, sizes[-1][0] // height)))

        x = from_image(top)
        for level in range(top, 0, -1):

            def shrink(self: ProGANDiscriminator, x: Array, level: int = level) -> Array:
                height = sizes[level][0]
                conv = Conv(self._width(level), 3, equalised=Equalised(), name=f"conv_{height}")
                x = leaky_relu(conv(x))
                x = fir(x, (1.0, 2.0, 1.0)) if self.blur else x
                down = Conv(
                    self._width(level - 1), 3, halve=True, equalised=Equalised(), name=f"down_{height}"
                )
                return leaky_relu(down(x))

            x = remat_block(self, shrink, x)
            if self.is_initializing():
                from_image(level - 1)
            elif level == top and fade is not None:
                x = faded(from_image(level - 1), x, fade)
        return self._outputs(x, label)

    def _outputs(self, x: Array, label: Array | None) -> Array | tuple[Array, Array]:
        """What is said of the lowest maps; in float32, as what compares examples needs it."""
        if self.minibatch not in MINIBATCH:
            raise ValueError(f"minibatch={self.minibatch!r} is not one of {', '.join(MINIBATCH)}")
        x = join_minibatch(at_least_float32(x), self.minibatch, 0, self.minibatch_group, self.axis_name)
        x = leaky_relu(Conv(self._width(0), 3, equalised=Equalised(), name="last_conv")(x))
        hidden = Dense(self._width(-1), equalised=Equalised(), name="hidden")
        features = leaky_relu(hidden(x.reshape(x.shape[0], -1)))
        logits = Dense(1, equalised=LINEAR, name="dense")(features)[:, 0]
        if self.condition == "projection":
            assert label is not None  # both were checked by `check_label`
            assert self.num_classes is not None
            table = Embed(self.num_classes, features.shape[1], nn.initializers.normal(1.0), name="projection")
            logits = logits + jnp.sum(table(label) * features, axis=-1) / features.shape[1] ** 0.5
        if self.auxiliary == 0:
            return logits
        check_count(self.auxiliary, "auxiliary")
        return logits, Dense(self.auxiliary, equalised=LINEAR, name="auxiliary")(features)

    def _width(self, level: int) -> int:
        return level_width(level, self.width_base, self.width_max)
