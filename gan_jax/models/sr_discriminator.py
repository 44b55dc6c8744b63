"""The discriminator of SRGAN: eight convolutions, two dense layers.

Ledig et al. 2017, arXiv:1609.04802, section 2.1 and figure 4. Deviations: logits instead of the last sigmoid;
no biases before BatchNorm; the dense layer is as wide as 16 times the first map (1,024 in the paper), so that
a narrow network is narrow in all.
"""

from __future__ import annotations

from typing import ClassVar

import flax.linen as nn
import jax

from gan_jax.models.layers.layers import INITIALIZERS, Conv, Dense, choose
from gan_jax.models.layers.norms import Norm, needs_no_bias
from gan_jax.models.layers.precision import at_least_float32
from gan_jax.models.layers.remat import remat_block
from gan_jax.utils.checks import check_count

Array = jax.Array

# Of each convolution: channels as a multiple of the first one's, and stride.
LAYERS = ((1, 1), (1, 2), (2, 1), (2, 2), (4, 1), (4, 2), (8, 1), (8, 2))


class SRDiscriminator(nn.Module):
    """Pictures [B, H, W, C] -> logits [B]; 23,563,649 parameters for three channels of 96x96.

    The dense layer belongs to one size of picture.

    Attributes:
        width: channels of the first map.
        norm: a name in `norms.NORMS`, after every convolution but the first.
        initializer: a name in `layers.INITIALIZERS`.
        momentum: of the moving statistics.
        norm_epsilon: added to the variance by the norm; 0 for its own, see `layers.norms`.
        spectral_norm: of every layer.
        remat: whether gradients keep only the convolutions' inputs, see `models.layers.remat`.
        axis_name: the mapped axis that splits the batch.
    """

    conditional: ClassVar[bool] = False

    width: int = 64
    norm: str = "batch"
    initializer: str = "glorot_uniform"
    momentum: float = 0.99
    norm_epsilon: float = 0.0
    spectral_norm: bool = False
    remat: bool = False
    axis_name: str | None = None

    @nn.compact
    def __call__(self, image: Array, told: object, train: bool) -> Array:
        check_count(self.width, "width")
        init = choose(INITIALIZERS, self.initializer, "initializer")
        x = image
        for index, (times, stride) in enumerate(LAYERS):

            def layer(
                self: SRDiscriminator, x: Array, index: int = index, times: int = times, stride: int = stride
            ) -> Array:
                norm = "none" if index == 0 else self.norm
                x = Conv(
                    times * self.width,
                    3,
                    stride=stride,
                    use_bias=not needs_no_bias(norm),
                    padding=((1, 1), (1, 1)),  # whatever the stride, so that a pixel is seen from its middle
                    kernel_init=init,
                    spectral_norm=self.spectral_norm,
                    name=f"conv_{index}",
                )(x, train)
                normalise = Norm(
                    norm, self.momentum, self.norm_epsilon, axis_name=self.axis_name, name=f"norm_{index}"
                )
                return jax.nn.leaky_relu(normalise(x, None, train), 0.2)

            x = remat_block(self, layer, x)

        def dense(x: Array, features: int, name: str) -> Array:
            layer = Dense(features, kernel_init=init, spectral_norm=self.spectral_norm, name=name)
            return layer(x, train)

        x = dense(x.reshape(x.shape[0], -1), 16 * self.width, "hidden")
        x = at_least_float32(jax.nn.leaky_relu(x, 0.2))
        return dense(x, 1, "dense")[:, 0]
