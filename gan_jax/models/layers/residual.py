"""Residual blocks that double or halve the resolution, with the activation before the convolution.

Miyato et al. 2018, arXiv:1802.05957, appendix B.4, figure 8; He et al. 2016, arXiv:1603.05027. Deviations:

- On the way up the convolutions have no bias where the norms subtract a mean. A block ends in a sum
  without activation, so a constant added to one of its channels reaches what follows only through norms,
  which remove it, and through 1x1 convolutions, which make other constants of it: it never reaches the
  image (attention apart), and Adam would turn the rounding noise in its gradient into full-size steps.
- Shortcuts convolve at the lower resolution on the way up, and pool first on the way down: the same
  function, as a 1x1 convolution commutes with both, at a quarter of the work.
- All convolutions of a block have its output's width; the official discriminator's first 3x3 convolutions
  have the input's (in table 4 they are the same).
- An odd size halves to the number rounded up, and back; see `layers.resample`.
"""

from __future__ import annotations

import flax.linen as nn
import jax

from gan_jax.models.layers.layers import ACTIVATIONS, Conv, Initializer, choose
from gan_jax.models.layers.norms import Norm, needs_no_bias
from gan_jax.models.layers.resample import average_pool, nearest

Array = jax.Array


def stronger(init: Initializer) -> Initializer:
    """`init` times sqrt(2), the official code's for the convolutions that follow a ReLU."""
    return lambda *args: 2**0.5 * init(*args)


class UpBlock(nn.Module):
    """norm, activation, up, conv, norm, activation, conv; plus the 1x1 shortcut, up.

    Attributes:
        size: (height, width) of the output, twice the input's or one less.
        num_classes: of conditional normalisation; None for unconditional.
    """

    features: int
    size: tuple[int, int]
    activation: str
    norm: str
    num_classes: int | None
    momentum: float
    spectral_norm: bool
    kernel_init: Initializer
    axis_name: str | None
    norm_epsilon: float = 0.0

    @nn.compact
    def __call__(self, x: Array, label: Array | None, train: bool) -> Array:
        activation = choose(ACTIVATIONS, self.activation, "activation")

        def normalise(x: Array, index: int) -> Array:
            norm = Norm(
                self.norm,
                self.momentum,
                self.norm_epsilon,
                num_classes=self.num_classes,
                axis_name=self.axis_name,
                name=f"norm_{index}",
            )
            return activation(norm(x, label, train))

        def conv(
            x: Array, kernel_size: int, init: Initializer, name: str, double: tuple[int, int] | None = None
        ) -> Array:
            return Conv(
                self.features,
                kernel_size,
                double=double,
                use_bias=not needs_no_bias(self.norm),
                kernel_init=init,
                spectral_norm=self.spectral_norm,
                name=name,
            )(x, train)

        shortcut = nearest(conv(x, 1, self.kernel_init, "shortcut"), self.size)
        x = conv(normalise(x, 0), 3, stronger(self.kernel_init), "conv_0", self.size)
        return shortcut + conv(normalise(x, 1), 3, stronger(self.kernel_init), "conv_1")


class DownBlock(nn.Module):
    """norm, activation, conv, norm, activation, conv, pool; plus the shortcut: pool, 1x1.

    Attributes:
        first: without the first norm and activation, which would cut the image ("optimised" block).
        pool: whether to halve the resolution. A block that keeps resolution and width has the identity
            for a shortcut.
    """

    features: int
    first: bool
    pool: bool
    activation: str
    norm: str
    momentum: float
    spectral_norm: bool
    kernel_init: Initializer
    axis_name: str | None
    norm_epsilon: float = 0.0

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        activation = choose(ACTIVATIONS, self.activation, "activation")

        def normalise(x: Array, index: int) -> Array:
            norm = Norm(
                self.norm,
                self.momentum,
                self.norm_epsilon,
                axis_name=self.axis_name,
                name=f"norm_{index}",
            )
            return activation(norm(x, None, train))

        def conv(
            x: Array,
            kernel_size: int,
            init: Initializer,
            name: str,
            use_bias: bool = True,
            halve: bool = False,
        ) -> Array:
            return Conv(
                self.features,
                kernel_size,
                halve=halve,
                use_bias=use_bias,
                kernel_init=init,
                spectral_norm=self.spectral_norm,
                name=name,
            )(x, train)

        shortcut = average_pool(x) if self.pool else x
        if self.pool or x.shape[-1] != self.features:
            shortcut = conv(shortcut, 1, self.kernel_init, "shortcut")
        if not self.first:
            x = normalise(x, 0)
        x = conv(x, 3, stronger(self.kernel_init), "conv_0", use_bias=not needs_no_bias(self.norm))
        x = conv(normalise(x, 1), 3, stronger(self.kernel_init), "conv_1", halve=self.pool)
        return shortcut + x
