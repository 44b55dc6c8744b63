"""SRResNet, the generator of super-resolution: a picture of low resolution in, one of 2, 4 or 8 times out.

Ledig et al. 2017, "Photo-realistic single image super-resolution using a generative adversarial network",
arXiv:1609.04802, section 2.1 and figure 4. There is no official code. Deviations:

- Pictures come in [-1, 1] like all of this package's; the paper's low resolution is in [0, 1]. The first
  layer's weights make up for it, but for the zeros around the picture, which are a middle grey here.
- The output is linear, as in the paper's figure, and float32: what leaves [-1, 1] is clipped where pictures
  are stored. A tanh would need ever larger values for black and white.
- Convolutions before BatchNorm have no biases, which it would remove (`norms.needs_no_bias`).
- The convolutions before pixel shuffles start as ICNR has it (`layers.subpixel`), against checkerboards.

`norm="none"` leaves BatchNorm out, as ESRGAN does (Wang et al. 2018, arXiv:1809.00219, section 3.1), who
found blotches where pictures at test time have other statistics than those of the training. `skip` adds the
interpolated input to the output, so that the network learns the difference alone (VDSR, Kim et al. 2016,
arXiv:1511.04587, with bicubic; BasicSR's MSRResNet with bilinear); the paper's has none.
"""

from __future__ import annotations

from typing import ClassVar

import flax.linen as nn
import jax

from gan_jax.models.layers.layers import INITIALIZERS, Conv, Initializer, choose
from gan_jax.models.layers.norms import Norm, needs_no_bias
from gan_jax.models.layers.precision import at_least_float32
from gan_jax.models.layers.prelu import PReLU
from gan_jax.models.layers.remat import remat_block
from gan_jax.models.layers.subpixel import icnr, pixel_shuffle
from gan_jax.utils.checks import check_count

Array = jax.Array

SCALES = (2, 4, 8)
SKIPS = {"bilinear": "bilinear", "bicubic": "cubic"}  # names of jax.image.resize; its cubic is Pillow's


class SRResNet(nn.Module):
    """Pictures [B, h, w, C] in [-1, 1] -> [B, scale * h, scale * w, C], about [-1, 1], of any h and w.

    The defaults are the paper's network for four times the resolution, 1,547,350 parameters.

    Attributes:
        image_shape: of the large pictures; the network reads their channels alone.
        width: channels of every map but the upsampled ones' convolutions, which have four times as many.
        blocks: residual blocks.
        scale: 2, 4 or 8, by as many doublings.
        norm: a name in `norms.NORMS`; "batch" (the paper) or "none" are what is usual.
        skip: what of the input is added to the output: "none", "bilinear" or "bicubic". With one the last
            layer starts at 0, so that the untrained network is the interpolation.
        initializer: a name in `layers.INITIALIZERS`.
        momentum: of the moving statistics.
        norm_epsilon: added to the variance by the norm; 0 for its own, see `layers.norms`.
        remat: whether gradients keep only the blocks' inputs, see `models.layers.remat`.
        axis_name: the mapped axis that splits the batch.
    """

    conditional: ClassVar[bool] = False

    image_shape: tuple[int, int, int]
    width: int = 64
    blocks: int = 16
    scale: int = 4
    norm: str = "batch"
    skip: str = "none"
    initializer: str = "glorot_uniform"
    momentum: float = 0.99
    norm_epsilon: float = 0.0
    remat: bool = False
    axis_name: str | None = None

    @property
    def multiple(self) -> int:
        """What the sides of the input must be multiples of: any will do."""
        return 1

    @nn.compact
    def __call__(self, x: Array, told: object, train: bool) -> Array:
        self._check()
        init = choose(INITIALIZERS, self.initializer, "initializer")
        use_bias = not needs_no_bias(self.norm)
        channels = self.image_shape[2]
        picture = x
        x = first = PReLU(name="prelu_input")(Conv(self.width, 9, kernel_init=init, name="input")(x))
        for index in range(self.blocks):

            def block(self: SRResNet, x: Array, index: int = index) -> Array:
                return self._block(init, name=f"block_{index}")(x, train)

            x = remat_block(self, block, x)
        x = Conv(self.width, 3, use_bias=use_bias, kernel_init=init, name="body")(x)
        x = first + self._norm("norm_body")(x, None, train)
        for index in range(SCALES.index(self.scale) + 1):
            up = Conv(4 * self.width, 3, kernel_init=icnr(init, 2), name=f"up_{index}")
            x = PReLU(name=f"prelu_up_{index}")(pixel_shuffle(up(x), 2))
        last = nn.initializers.zeros if self.skip != "none" else init
        made = at_least_float32(Conv(channels, 9, kernel_init=last, name="output")(x))
        if self.skip == "none":
            return made
        return made + jax.image.resize(at_least_float32(picture), made.shape, SKIPS[self.skip])

    def _check(self) -> None:
        check_count(self.width, "width")
        check_count(self.blocks, "blocks")
        if self.scale not in SCALES:
            raise ValueError(f"scale={self.scale!r} is not one of {', '.join(map(str, SCALES))}")
        if self.skip not in ("none", *SKIPS):
            raise ValueError(f"skip={self.skip!r} is not one of none, {', '.join(SKIPS)}")

    def _norm(self, name: str) -> Norm:
        return Norm(self.norm, self.momentum, self.norm_epsilon, axis_name=self.axis_name, name=name)

    def _block(self, init: Initializer, name: str) -> ResidualBlock:
        return ResidualBlock(
            self.width, self.norm, self.momentum, self.norm_epsilon, init, self.axis_name, name=name
        )


class ResidualBlock(nn.Module):
    """x + (conv, norm, PReLU, conv, norm)(x), [B, h, w, features] (figure 4; Gross and Wilber's variant)."""

    features: int
    norm: str
    momentum: float
    norm_epsilon: float
    kernel_init: Initializer
    axis_name: str | None

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        def convolved(x: Array, index: int) -> Array:
            conv = Conv(
                self.features,
                3,
                use_bias=not needs_no_bias(self.norm),
                kernel_init=self.kernel_init,
                name=f"conv_{index}",
            )
            norm = Norm(
                self.norm,
                self.momentum,
                self.norm_epsilon,
                axis_name=self.axis_name,
                name=f"norm_{index}",
            )
            return norm(conv(x), None, train)

        return x + convolved(PReLU(name="prelu")(convolved(x, 0)), 1)
