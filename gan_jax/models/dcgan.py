"""Deep convolutional networks of any depth, width and image size.

Radford, Metz, Chintala 2016, "Unsupervised representation learning with deep convolutional
generative adversarial networks", arXiv:1511.06434; with the fields set by `configs/` also the
thesis's (`dcgan_fashion_mnist.py`) and the second course's (`dcgan_course_mnist.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax

from gan_jax.models.layers.conditioning import Discriminator, Generator, JoinPlanes, norm_classes
from gan_jax.models.layers.layers import (
    ACTIVATIONS,
    INITIALIZERS,
    OUTPUTS,
    Conv,
    Dense,
    Dropout,
    Initializer,
    Upsample,
    choose,
)
from gan_jax.models.layers.norms import Norm, needs_no_bias
from gan_jax.models.layers.remat import remat_block
from gan_jax.utils.checks import check_kernel, check_range, check_widths

Array = jax.Array


def halvings(size: tuple[int, int], count: int) -> list[tuple[int, int]]:
    """Image sizes from smallest to `size`, each the half, rounded up, of the next."""
    sizes = [size]
    for _ in range(count):
        height, width = sizes[0]
        sizes.insert(0, (-(-height // 2), -(-width // 2)))
    return sizes


class DCGANGenerator(Generator):
    """Latents [B, L] -> images [B, *image_shape] in (-1, 1), or tiles with output="softmax".

    A dense layer makes a small map of `widths[0]` channels; each further width doubles the
    resolution. The image comes from one more doubling, or, if `output_kernel_size` is given, from a
    convolution at full resolution. Sizes that are not powers of two are rounded up on the way down.

    Attributes, beside those of `Generator`:
        widths: channels of each map, smallest map first.
        kernel_size: of the doublings.
        output_kernel_size: of a last convolution at full resolution; 0 for a doubling instead.
        activation: a name in `layers.ACTIVATIONS`.
        norm: a name in `norms.NORMS`.
        norm_first: the norm between layer and activation (Radford; the layers have no bias then, where
            the norm makes it useless). Otherwise the activation comes first, and the dense layer has none
            (the thesis).
        upsampling: "transpose", "nearest" or "bilinear" (both with a convolution).
        momentum: of the moving statistics.
        output: "tanh" for images, "softmax" for tiles; a name in `layers.OUTPUTS`.
    """

    widths: tuple[int, ...] = (128, 64)
    kernel_size: int = 5
    output_kernel_size: int = 0
    activation: str = "relu"
    norm: str = "batch"
    norm_first: bool = True
    upsampling: str = "transpose"
    momentum: float = 0.99
    norm_epsilon: float = 0.0
    output: str = "tanh"

    @nn.compact
    def __call__(self, latent: Array, label: Array | None, train: bool) -> Array:
        self._check()
        output = choose(OUTPUTS, self.output, "output")
        activation = choose(ACTIVATIONS, self.activation, "activation")
        init = choose(INITIALIZERS, self.initializer, "initializer")
        doublings = len(self.widths) - (1 if self.output_kernel_size else 0)
        sizes = halvings((self.image_shape[0], self.image_shape[1]), doublings)
        use_bias = not (self.norm_first and needs_no_bias(self.norm))

        x = self.join_label(latent, label, train)
        dense = Dense(
            sizes[0][0] * sizes[0][1] * self.widths[0],
            use_bias=use_bias,
            kernel_init=init,
            spectral_norm=self.spectral_norm,
            name="dense",
        )
        x = dense(x, train).reshape(-1, *sizes[0], self.widths[0])
        for index in range(len(self.widths)):

            def up(self: DCGANGenerator, x: Array, index: int = index) -> Array:
                norm = self._norm(index)
                if self.norm_first:
                    x = activation(norm(x, label, train))
                else:
                    x = norm(activation(x) if index > 0 else x, label, train)
                return self._layer(index + 1, sizes, use_bias, init)(x, train)

            x = remat_block(self, up, x)
        return output(x)

    def _check(self) -> None:
        check_widths(self.widths)
        check_kernel(self.kernel_size)
        if self.output_kernel_size != 0:
            check_kernel(self.output_kernel_size, "output_kernel_size")

    def _norm(self, index: int) -> Norm:
        return Norm(
            self.norm,
            self.momentum,
            self.norm_epsilon,
            num_classes=norm_classes(self.condition, self.norm, self.num_classes),
            axis_name=self.axis_name,
            name=f"norm_{index}",
        )

    def _layer(
        self, index: int, sizes: list[tuple[int, int]], use_bias: bool, init: Initializer
    ) -> Upsample | Conv:
        """What makes map `index` of the one before, or the image of the last one."""
        last = index == len(self.widths)
        features = self.image_shape[2] if last else self.widths[index]
        if last and self.output_kernel_size:
            return Conv(
                features,
                self.output_kernel_size,
                kernel_init=init,
                spectral_norm=self.spectral_norm,
                name="output",
            )
        return Upsample(
            features,
            self.kernel_size,
            sizes[index],
            self.upsampling,
            use_bias=use_bias or last,
            kernel_init=init,
            spectral_norm=self.spectral_norm,
            name=f"up_{index}",
        )


class DCGANDiscriminator(Discriminator):
    """Images [B, H, W, C] -> logits [B], or (logits [B], auxiliary outputs [B, n]) with `auxiliary` = n.

    Attributes, beside those of `Discriminator`:
        widths: channels of each convolution; each halves the resolution.
        kernel_size: of every convolution.
        activation: a name in `layers.ACTIVATIONS`.
        leak: the slope of activation="leaky_relu" below 0.
        norm: a name in `norms.NORMS`, between convolution and activation, but for the first (Radford:
            "batch").
        norm_everywhere: the norm after the first convolution as well (Metz et al. 2016, arXiv:1611.02163).
        dropout: share of each map that is dropped, per example.
        initializer: a name in `layers.INITIALIZERS`.
    """

    widths: tuple[int, ...] = (64, 128)
    kernel_size: int = 5
    activation: str = "leaky_relu"
    leak: float = 0.2
    norm_everywhere: bool = False
    dropout: float = 0.0
    initializer: str = "glorot_uniform"

    @nn.compact
    def __call__(self, image: Array, label: Array | None, train: bool) -> Array | tuple[Array, Array]:
        check_widths(self.widths)
        check_kernel(self.kernel_size)
        self.check_label(label, image.shape[0])
        activation = self._activation()
        if self.norm_everywhere and self.norm == "none":
            raise ValueError("norm_everywhere=True, norm='none': choose a norm, or norm_everywhere=False")
        init = choose(INITIALIZERS, self.initializer, "initializer")
        x = JoinPlanes(
            self.condition, self.num_classes, self.embedding_size, self.spectral_norm, init, name="label"
        )(image, label, train)
        x = self._conv(0, init)(x, train)
        for index in range(len(self.widths)):

            def down(self: DCGANDiscriminator, x: Array, index: int = index) -> Array:
                norm = self.normalise(self._norm(index), f"norm_{index}")
                x = activation(norm(x, None, train))
                x = Dropout(self.dropout, self.axis_name, name=f"dropout_{index}")(x, train)
                return x if index + 1 == len(self.widths) else self._conv(index + 1, init)(x, train)

            x = remat_block(self, down, x)
        x = x.reshape(x.shape[0], -1)
        return self.outputs(x, label, train, name="dense", kernel_init=init)

    def _norm(self, index: int) -> str:
        """The name of the norm that follows a convolution."""
        return self.norm if index > 0 or self.norm_everywhere else "none"

    def _conv(self, index: int, init: Initializer) -> Conv:
        return Conv(
            self.widths[index],
            self.kernel_size,
            stride=2,
            use_bias=not needs_no_bias(self._norm(index)),
            kernel_init=init,
            spectral_norm=self.spectral_norm,
            name=f"conv_{index}",
        )

    def _activation(self) -> Callable[[Array], Array]:
        check_range(self.leak, "leak", high=1.0)
        if self.activation == "leaky_relu":
            return partial(jax.nn.leaky_relu, negative_slope=self.leak)
        if self.leak != type(self).leak:
            raise ValueError(f"leak={self.leak}: activation={self.activation!r} has none; use 'leaky_relu'")
        return choose(ACTIVATIONS, self.activation, "activation")
