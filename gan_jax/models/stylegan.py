"""StyleGAN's generator, of any image size, grown or whole.

Karras, Laine, Aila 2019, "A style-based generator architecture for generative adversarial networks",
arXiv:1812.04948, section 2 and appendix C; compared with training/networks_stylegan.py of NVlabs/stylegan.
Its discriminator is ProGAN's (`models.progan`) with `blur=True`. Levels are those of `layers.levels`: sides
are halved as often as they can be, and need no power of two.

Deliberate deviations, beside those of `models.mapping` (whose layers are StyleGAN2's: the root of two follows
the activation, the label's code is normalised by itself, a mix is drawn for each example):
- The phases may begin at the lowest level, which the official code never shows alone.
- Without the stream "noise", as pictures are drawn, noise is one fixed map for each layer.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.models.layers.equalised import Equalised
from gan_jax.models.layers.fir import fir
from gan_jax.models.layers.growing import grown_image, level_at, level_width, told_apart, top_level
from gan_jax.models.layers.layers import Conv, Dense
from gan_jax.models.layers.levels import level_sizes
from gan_jax.models.layers.modulated import Noise, adain
from gan_jax.models.layers.precision import add_bias, at_least_float32
from gan_jax.models.layers.remat import remat_block
from gan_jax.models.mapping import PLAIN, StyleGenerator

Array = jax.Array
Size = tuple[int, int]

TAPS = (1.0, 2.0, 1.0)  # of the filter beside a change of resolution


class StyleGANGenerator(StyleGenerator):
    """Latents [B, L] -> images [B, *image_shape], linear: nothing keeps them in [-1, 1].

    26,219,627 parameters at 1024x1024 in colour, with latents of 512.

    Attributes, beside those of `StyleGenerator`:
        width_base: level n has width_base / 2^(n + 1) channels, the lowest being 0, ...
        width_max: ... and no more than these.
        resolution: the height of the level up to which it has grown; 0 for all. The images are always of
            `image_shape`, pixels repeated.
    """

    width_base: int = 8192
    width_max: int = 512
    resolution: int = 0

    def __post_init__(self) -> None:
        level_at(self.resolution, level_sizes(self.image_shape[:2]))
        super().__post_init__()

    @property
    def style_layers(self) -> int:
        """Two for each level that is used."""
        return 2 * (top_level(self, level_sizes(self.image_shape[:2])) + 1)

    def make_synthesis(self) -> nn.Module:
        return Synthesis(
            self.image_shape,
            self.width_base,
            self.width_max,
            self.resolution,
            remat=self.remat,
            axis_name=self.axis_name,
        )


class Synthesis(nn.Module):
    """Styles [B, layers, D] -> images [B, *image_shape], see `StyleGANGenerator`."""

    image_shape: tuple[int, int, int]
    width_base: int
    width_max: int
    resolution: int
    remat: bool = False
    axis_name: str | None = None

    @nn.compact
    def __call__(self, styles: Array, told: Any, train: bool) -> Array:
        """float32 images. The maps are of the styles' precision; what styles become is float32."""
        _, fade = told_apart(told)
        sizes = level_sizes(self.image_shape[:2])
        top = top_level(self, sizes)
        if styles.ndim != 3 or styles.shape[1] != 2 * (top + 1):
            raise ValueError(
                f"images of {sizes[top][0]}x{sizes[top][1]} are made of styles [B, {2 * (top + 1)}, D], not "
                f"{styles.shape}"
            )
        constant = self.param("constant", nn.initializers.ones, (*sizes[0], self._width(0)))
        x = jnp.broadcast_to(constant.astype(styles.dtype), (styles.shape[0], *constant.shape))
        styles = at_least_float32(styles)
        maps = []
        for level in range(top + 1):

            def grow(net: Synthesis, x: Array, styles: Array, level: int = level) -> Array:
                height, width = sizes[level][0], net._width(level)
                if level > 0:
                    up = Conv(
                        width,
                        3,
                        double=sizes[level],
                        use_bias=False,
                        equalised=Equalised(),
                        name=f"up_{height}",
                    )
                    x = fir(up(x), TAPS)
                x = Styled(net.axis_name, name=f"styled_{2 * level}")(x, styles[:, 2 * level])
                conv = Conv(width, 3, use_bias=False, equalised=Equalised(), name=f"conv_{height}")
                return Styled(net.axis_name, name=f"styled_{2 * level + 1}")(
                    conv(x), styles[:, 2 * level + 1]
                )

            x = remat_block(self, grow, x, styles)
            maps.append(x)

        def to_image(x: Array, level: int) -> Array:
            name = f"to_image_{sizes[level][0]}"
            return at_least_float32(Conv(self.image_shape[2], 1, equalised=PLAIN, name=name)(x))

        if self.is_initializing():  # those of all levels; once trained, only those in use
            return [to_image(x, level) for level, x in enumerate(maps)][-1]
        return grown_image(maps, fade, sizes[-1], to_image)

    def _width(self, level: int) -> int:
        return level_width(level, self.width_base, self.width_max)


class Styled(nn.Module):
    """Maps [B, H, W, C] and styles w [B, D] -> noise, bias, leaky ReLU, and the style's mean and variance.

    Attributes:
        axis_name: the mapped axis that splits the batch.
    """

    axis_name: str | None

    @nn.compact
    def __call__(self, x: Array, w: Array) -> Array:
        x = Noise(per_channel=True, axis_name=self.axis_name, name="noise")(x)
        x = jax.nn.leaky_relu(add_bias(x, self.param("bias", nn.initializers.zeros, x.shape[-1:])), 0.2)
        return adain(x, Dense(2 * x.shape[-1], equalised=PLAIN, name="style")(w))
