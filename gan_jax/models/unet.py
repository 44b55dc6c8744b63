"""The U-Net of Pix2Pix: pictures to pictures of the same size, with skips between maps of equal size.

Isola, Zhu, Zhou, Efros 2017, "Image-to-image translation with conditional adversarial networks",
arXiv:1611.07004, section 3.2.1 and appendix 6.1.1; with 8 downs the network for 256x256. Compared with
github.com/phillipi/pix2pix and github.com/junyanz/pytorch-CycleGAN-and-pix2pix. As there, neither the first
map nor the innermost one has a norm (the paper's erratum: a 1x1 map would become zero). Deviations:

- The norm is instance normalisation, which is BatchNorm of one example with its own statistics, as the paper
  trains and tests: what an image becomes does not depend on its batch. norm="batch" is the other one.
- With such a norm no layer but the last has a bias, as in the PyTorch code with BatchNorm; the paper's own
  code sets them to zero before every use.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.models.layers.layers import Conv, Dropout, Upsample, as_image
from gan_jax.models.layers.norms import needs_no_bias
from gan_jax.models.layers.remat import remat_block
from gan_jax.models.layers.translator import Translator
from gan_jax.utils.checks import check_count

Array = jax.Array

MOST_DOWNS = 16
DROPPED = 3  # the first layers on the way up, which have dropout


class UNetGenerator(Translator):
    """Images [B, H, W, C] -> images [B, H, W, image_shape[2]] in (-1, 1); H and W multiples of 2**downs.

    Down: convolutions 4x4 with stride 2, `width` times 1, 2, 4, 8, 8, ... channels. Up: the mirror, each
    layer of the one before and of the map of its size on the way down.

    Attributes, beside those of `Translator`:
        width: channels of the first map.
        downs: how often the image is halved.
        dropout: share that is dropped on the first three layers on the way up, the network's only noise.
            After training too, where it is given a key.
        upsampling: "transpose" (4x4, the paper's), "nearest" or "bilinear" (both with a 3x3 convolution,
            against checkerboards).
    """

    width: int = 64
    downs: int = 8
    dropout: float = 0.5
    upsampling: str = "transpose"

    @property
    def multiple(self) -> int:
        """The sides of the images are multiples of this."""
        return 2**self.downs

    @nn.compact
    def __call__(self, x: Array, told: None, train: bool) -> Array:
        """The translation; dropout is drawn by example from the stream "dropout".

        Raises:
            ValueError: fields that make no network; sides that are not multiples of 2**downs.
        """
        check_count(self.width, "width")
        check_count(self.downs, "downs")
        if self.downs > MOST_DOWNS:
            raise ValueError(f"downs={self.downs}: it must be at most {MOST_DOWNS}")
        self.check_sides(x)
        maps = []
        for index in range(self.downs):
            x = remat_block(self, lambda net, x, index=index: net.down(x, index, train), x)
            maps.append(x)
        below = maps.pop()
        for index in reversed(range(self.downs)):
            beside = (maps.pop(),) if index + 1 < self.downs else ()
            below = remat_block(self, lambda net, *xs, index=index: net.up(xs, index, train), below, *beside)
        return as_image(below)

    def features(self, index: int) -> int:
        """Channels of map number `index` on the way down."""
        return self.width * min(2**index, 8)

    def down(self, x: Array, index: int, train: bool) -> Array:
        """Map number `index` on the way down, of the one before."""
        norm = self.norm if 0 < index < self.downs - 1 else "none"
        x = Conv(
            self.features(index),
            4,
            stride=2,
            use_bias=not needs_no_bias(self.norm),
            kernel_init=self.init_of_kernels,
            spectral_norm=self.spectral_norm,
            name=f"down_{index}",
        )(jax.nn.leaky_relu(x, 0.2) if index > 0 else x, train)
        return self.normalise(norm, f"down_norm_{index}")(x, None, train)

    def up(self, maps: tuple[Array, ...], index: int, train: bool) -> Array:
        """The map of the size before map `index` on the way down; number 0 is the image before its tanh."""
        x = jax.nn.relu(jnp.concatenate(maps, axis=-1))
        norm = self.norm if index > 0 else "none"
        x = Upsample(
            self.features(index - 1) if index > 0 else self.image_shape[2],
            4 if self.upsampling == "transpose" else 3,
            (2 * x.shape[1], 2 * x.shape[2]),
            self.upsampling,
            use_bias=not needs_no_bias(norm),
            kernel_init=self.init_of_kernels,
            spectral_norm=self.spectral_norm,
            name=f"up_{index}",
        )(x, train)
        x = self.normalise(norm, f"up_norm_{index}")(x, None, train)
        rate = self.dropout if index > 0 and index >= self.downs - DROPPED else 0.0
        return Dropout(rate, self.axis_name, always=True, name=f"dropout_{index}")(x, train)
