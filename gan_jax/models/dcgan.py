"""Deep convolutional networks of any depth, width and image size.

Radford, Metz, Chintala 2016, "Unsupervised representation learning with deep convolutional
generative adversarial networks", arXiv:1511.06434; with the fields set by `configs/` also the
thesis's (`dcgan_fashion_mnist.py`) and the second course's (`dcgan_course_mnist.py`).
"""

from __future__ import annotations

import flax.linen as nn
import jax

from gan_jax.checks import check_count, check_widths
from gan_jax.models.layers import (
    ACTIVATIONS,
    INITIALIZERS,
    BatchNorm,
    Conv,
    Dropout,
    Upsample,
    choose,
)

Array = jax.Array


def halvings(size: tuple[int, int], count: int) -> list[tuple[int, int]]:
    """Image sizes from smallest to `size`, each the half, rounded up, of the next."""
    sizes = [size]
    for _ in range(count):
        height, width = sizes[0]
        sizes.insert(0, (-(-height // 2), -(-width // 2)))
    return sizes


class DCGANGenerator(nn.Module):
    """Latents [B, L] -> images [B, *image_shape] in (-1, 1).

    A dense layer makes a small map of `widths[0]` channels; each further width doubles the
    resolution. The image comes from one more doubling, or, if `output_kernel_size` is given, from a
    convolution at full resolution. Sizes that are not powers of two are rounded up on the way down.

    Attributes:
        image_shape: (height, width, channels).
        widths: channels of each map, smallest map first.
        kernel_size: of the doublings.
        output_kernel_size: of a last convolution at full resolution; 0 for a doubling instead.
        activation: a name in `layers.ACTIVATIONS`.
        norm_first: BatchNorm between layer and activation (Radford; the layers have no bias then).
            Otherwise the activation comes first, and the dense layer has none (the thesis).
        upsampling: "transpose", "nearest" or "bilinear" (both with a convolution).
        momentum: of the moving statistics.
        initializer: a name in `layers.INITIALIZERS`.
    """

    image_shape: tuple[int, int, int]
    widths: tuple[int, ...] = (128, 64)
    kernel_size: int = 5
    output_kernel_size: int = 0
    activation: str = "relu"
    norm_first: bool = True
    upsampling: str = "transpose"
    momentum: float = 0.99
    initializer: str = "glorot_uniform"
    axis: str | None = None

    @nn.compact
    def __call__(self, latent: Array, train: bool) -> Array:
        check_widths(self.widths)
        check_count(self.kernel_size, "kernel_size")
        if self.output_kernel_size != 0:
            check_count(self.output_kernel_size, "output_kernel_size")
        activation = choose(ACTIVATIONS, self.activation, "activation")
        init = choose(INITIALIZERS, self.initializer, "initializer")
        height, width, channels = self.image_shape
        doublings = len(self.widths) - (1 if self.output_kernel_size else 0)
        sizes = halvings((height, width), doublings)

        def normalise(x: Array, index: int) -> Array:
            return BatchNorm(self.momentum, self.axis, name=f"norm_{index}")(x, train)

        def up(x: Array, features: int, index: int, use_bias: bool) -> Array:
            return Upsample(
                features,
                self.kernel_size,
                sizes[index],
                self.upsampling,
                use_bias=use_bias,
                kernel_init=init,
                name=f"up_{index}",
            )(x)

        seed_height, seed_width = sizes[0]
        x = nn.Dense(
            seed_height * seed_width * self.widths[0],
            use_bias=not self.norm_first,
            kernel_init=init,
            name="dense",
        )(latent)
        x = normalise(x.reshape(-1, seed_height, seed_width, self.widths[0]), 0)
        if self.norm_first:
            x = activation(x)
        for index, features in enumerate(self.widths[1:], start=1):
            x = up(x, features, index, use_bias=not self.norm_first)
            x = activation(normalise(x, index)) if self.norm_first else normalise(activation(x), index)
        if self.output_kernel_size:
            x = Conv(channels, self.output_kernel_size, kernel_init=init, name="output")(x)
        else:
            x = up(x, channels, doublings, use_bias=True)
        return jax.numpy.tanh(x)


class DCGANDiscriminator(nn.Module):
    """Images [B, H, W, C] -> logits [B].

    Attributes:
        widths: channels of each convolution; each halves the resolution.
        kernel_size: of every convolution.
        activation: a name in `layers.ACTIVATIONS`.
        dropout: share of each map that is dropped, per example.
        batch_norm: BatchNorm between convolution and activation, but for the first (Radford).
        momentum: of the moving statistics.
        initializer: a name in `layers.INITIALIZERS`.
    """

    widths: tuple[int, ...] = (64, 128)
    kernel_size: int = 5
    activation: str = "leaky_relu"
    dropout: float = 0.0
    batch_norm: bool = False
    momentum: float = 0.99
    initializer: str = "glorot_uniform"
    axis: str | None = None

    @nn.compact
    def __call__(self, image: Array, train: bool) -> Array:
        check_widths(self.widths)
        check_count(self.kernel_size, "kernel_size")
        activation = choose(ACTIVATIONS, self.activation, "activation")
        init = choose(INITIALIZERS, self.initializer, "initializer")
        x = image
        for index, features in enumerate(self.widths):
            normalised = self.batch_norm and index > 0
            x = Conv(
                features,
                self.kernel_size,
                stride=2,
                use_bias=not normalised,
                kernel_init=init,
                name=f"conv_{index}",
            )(x)
            if normalised:
                x = BatchNorm(self.momentum, self.axis, name=f"norm_{index}")(x, train)
            x = Dropout(self.dropout, self.axis, name=f"dropout_{index}")(activation(x), train)
        x = x.reshape(x.shape[0], -1)
        return nn.Dense(1, kernel_init=init, name="dense")(x)[:, 0]
