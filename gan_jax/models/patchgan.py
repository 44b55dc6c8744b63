"""Discriminators that judge patches: a logit for each of the overlapping patches of an image.

Isola, Zhu, Zhou, Efros 2017, "Image-to-image translation with conditional adversarial networks",
arXiv:1611.07004, section 3.2.2 and appendix 6.1.2. Compared with
github.com/junyanz/pytorch-CycleGAN-and-pix2pix. Deviation: the layer of the logits always has a bias (the
PyTorch code's 1x1 discriminator with BatchNorm has none).
"""

from __future__ import annotations

from typing import ClassVar

import flax.linen as nn
import jax

from gan_jax.models.layers.layers import INITIALIZERS, Conv, choose
from gan_jax.models.layers.norms import Norm, needs_no_bias
from gan_jax.models.layers.precision import at_least_float32
from gan_jax.models.layers.remat import remat_block
from gan_jax.models.layers.translator import GAINS
from gan_jax.utils.checks import check_count

Array = jax.Array

MOST_LAYERS = 12
PADDING = ((1, 1), (1, 1))


class PatchGANDiscriminator(nn.Module):
    """Images [B, H, W, C], a source beside them or not, -> logits [B, h, w] of patches.

    Convolutions 4x4: `layers` of stride 2, then two of stride 1, of which the last makes the logits. A patch
    has 16, 34, 70, 142 or 286 pixels a side for 1 to 5 layers, and 1 for layers=0, where all convolutions are
    1x1. The logits are of the patches around every 2**layers-th pixel, but for two fewer a side.

    Attributes:
        width: channels of the first map; they double with each, up to 8 times as many.
        layers: how often the image is halved.
        norm: a name in `norms.NORMS`, after every convolution but the first and the last.
        affine: whether norms have a gain and a bias.
        momentum: of the moving statistics of norm="batch".
        norm_epsilon: added to the variance by the norm; 0 for its own, see `layers.norms`.
        spectral_norm: of every convolution.
        initializer: a name in `layers.INITIALIZERS`.
        remat: whether gradients keep only the blocks' inputs, see `models.layers.remat`.
        axis_name: the mapped axis that splits the batch.
    """

    conditional: ClassVar[bool] = False

    width: int = 64
    layers: int = 3
    norm: str = "instance"
    affine: bool = True
    momentum: float = 0.9
    norm_epsilon: float = 0.0
    spectral_norm: bool = False
    initializer: str = "normal"
    remat: bool = False
    axis_name: str | None = None

    @nn.compact
    def __call__(self, image: Array, told: None, train: bool) -> Array:
        """The logits, float32.

        Raises:
            ValueError: fields that make no network; an image that is too small for one patch.
        """
        self._check(image)
        x = image
        for index in range(max(self.layers, 1) + 1):
            x = remat_block(self, lambda net, x, index=index: net.hidden(x, index, train), x)
        return self._conv(1, "output", stride=1)(at_least_float32(x), train)[..., 0]

    def hidden(self, x: Array, index: int, train: bool) -> Array:
        """Map number `index`, of the one before."""
        norm = self.norm if index > 0 else "none"
        stride = 2 if index < self.layers else 1
        features = self.width * min(2**index, 8)
        x = self._conv(features, f"conv_{index}", stride, use_bias=not needs_no_bias(norm))(x, train)
        normalise = Norm(
            norm,
            self.momentum,
            self.norm_epsilon,
            axis_name=self.axis_name,
            affine=self.affine,
            scale_init=GAINS,
            name=f"norm_{index}",
        )
        return jax.nn.leaky_relu(normalise(x, None, train), 0.2)

    def _conv(self, features: int, name: str, stride: int, use_bias: bool = True) -> Conv:
        return Conv(
            features,
            4 if self.layers else 1,
            stride=stride,
            use_bias=use_bias,
            padding=PADDING if self.layers else "VALID",
            kernel_init=choose(INITIALIZERS, self.initializer, "initializer"),
            spectral_norm=self.spectral_norm,
            name=name,
        )

    def _check(self, image: Array) -> None:
        check_count(self.width, "width")
        if not (type(self.layers) is int and 0 <= self.layers <= MOST_LAYERS):
            raise ValueError(f"layers={self.layers!r}: it must be a number from 0 to {MOST_LAYERS}")
        least = 3 * 2**self.layers if self.layers else 1
        if image.ndim != 4 or min(image.shape[1:3]) < least:
            raise ValueError(
                f"layers={self.layers} takes images [B, H, W, C] of at least {least}x{least} pixels, not an "
                f"array of shape {image.shape}: choose fewer layers"
            )
