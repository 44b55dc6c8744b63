"""The residual translators of CycleGAN: pictures to pictures of the same size.

Johnson, Alahi, Fei-Fei 2016, "Perceptual losses for real-time style transfer and super-resolution",
arXiv:1603.08155, as Zhu, Park, Isola, Efros 2017, "Unpaired image-to-image translation using
cycle-consistent adversarial networks", arXiv:1703.10593, appendix 7.2, have it: 6 blocks for 128x128, 9 from
256x256 on. Compared with github.com/junyanz/CycleGAN and github.com/junyanz/pytorch-CycleGAN-and-pix2pix.
Deviation: layers before a norm that subtracts means have no bias. Norms have a gain and a bias, as in the
first of the two; in the second they do not (affine=False).
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax

from gan_jax.models.layers.layers import Conv, ConvTranspose, Upsample, as_image
from gan_jax.models.layers.norms import needs_no_bias
from gan_jax.models.layers.remat import remat_block
from gan_jax.models.layers.translator import Translator
from gan_jax.utils.checks import check_count

Array = jax.Array

DOWNS = 2
PADDING = ((1, 1), (1, 1))


class ResNetTranslator(Translator):
    """Images [B, H, W, C] -> images [B, H, W, image_shape[2]] in (-1, 1); H and W multiples of 4, from 8 on.

    A 7x7 convolution, two of stride 2, residual blocks at a quarter of the resolution, two transposed ones, a
    7x7 one. Padding is by reflection but where the resolution changes.

    Attributes, beside those of `Translator`:
        width: channels at full resolution; twice as many at a half of it, four times at a quarter.
        blocks: residual blocks.
        upsampling: "transpose" (the paper's), "nearest" or "bilinear" (both with a 3x3 convolution; without
            the checkerboard of uneven overlaps).
    """

    width: int = 64
    blocks: int = 9
    upsampling: str = "transpose"

    @property
    def multiple(self) -> int:
        """The sides of the images are multiples of this."""
        return 2**DOWNS

    @nn.compact
    def __call__(self, x: Array, told: None, train: bool) -> Array:
        """The translation.

        Raises:
            ValueError: fields that make no network; sides that are not multiples of 4, or too small.
        """
        check_count(self.width, "width")
        check_count(self.blocks, "blocks")
        self.check_sides(x)
        x = remat_block(self, lambda net, x: net.first(x, train), x)
        for index in range(DOWNS):
            x = remat_block(self, lambda net, x, index=index: net.down(x, index, train), x)
        for index in range(self.blocks):
            x = remat_block(self, lambda net, x, index=index: net.block(x, index, train), x)
        for index in range(DOWNS):
            x = remat_block(self, lambda net, x, index=index: net.up(x, index, train), x)
        x = self._conv(self.image_shape[2], 7, "output", padding="REFLECT", use_bias=True)(x, train)
        return as_image(x)

    def first(self, x: Array, train: bool) -> Array:
        """The map at full resolution."""
        x = self._conv(self.width, 7, "input", padding="REFLECT")(x, train)
        return self._activated(x, "input_norm", train)

    def down(self, x: Array, index: int, train: bool) -> Array:
        """A map at half the resolution."""
        features = 2 ** (index + 1) * self.width
        x = self._conv(features, 3, f"down_{index}", padding=PADDING, stride=2)(x, train)
        return self._activated(x, f"down_norm_{index}", train)

    def block(self, x: Array, index: int, train: bool) -> Array:
        """x and what two convolutions make of it."""
        y, features = x, x.shape[-1]
        y = self._conv(features, 3, f"block_{index}_conv_0", padding="REFLECT")(y, train)
        y = self._activated(y, f"block_{index}_norm_0", train)
        y = self._conv(features, 3, f"block_{index}_conv_1", padding="REFLECT")(y, train)
        return x + self.normalise(self.norm, f"block_{index}_norm_1")(y, None, train)

    def up(self, x: Array, index: int, train: bool) -> Array:
        """A map at twice the resolution."""
        features, size = 2 ** (DOWNS - 1 - index) * self.width, (2 * x.shape[1], 2 * x.shape[2])
        common: dict[str, Any] = {
            "use_bias": not needs_no_bias(self.norm),
            "kernel_init": self.init_of_kernels,
            "spectral_norm": self.spectral_norm,
            "name": f"up_{index}",
        }
        if self.upsampling == "transpose":
            x = ConvTranspose(features, 3, size, padding=PADDING, **common)(x, train)
        else:
            x = Upsample(features, 3, size, self.upsampling, **common)(x, train)
        return self._activated(x, f"up_norm_{index}", train)

    def _conv(
        self,
        features: int,
        kernel_size: int,
        name: str,
        padding: str | tuple[tuple[int, int], tuple[int, int]],
        stride: int = 1,
        use_bias: bool | None = None,
    ) -> Conv:
        """Without a bias where a norm follows, unless it is said."""
        return Conv(
            features,
            kernel_size,
            stride=stride,
            use_bias=not needs_no_bias(self.norm) if use_bias is None else use_bias,
            padding=padding,
            kernel_init=self.init_of_kernels,
            spectral_norm=self.spectral_norm,
            name=name,
        )

    def _activated(self, x: Array, name: str, train: bool) -> Array:
        return jax.nn.relu(self.normalise(self.norm, name)(x, None, train))
