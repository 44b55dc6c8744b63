"""The two networks of a variational autoencoder as one module, of convolutions or fully connected.

Kingma and Welling 2014, "Auto-encoding variational Bayes", arXiv:1312.6114. The mean that the decoder says is
not bounded: beyond black or white there is room for a pixel that is surely black or white.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.models.dcgan import halvings
from gan_jax.models.layers.conditioning import INPUTS, Generator, JoinLabel, JoinPlanes, check_label
from gan_jax.models.layers.layers import ACTIVATIONS, INITIALIZERS, Conv, Dense, Upsample, choose
from gan_jax.models.layers.precision import at_least_float32
from gan_jax.models.layers.remat import remat_block
from gan_jax.utils.checks import check_count, check_kernel, check_widths

Array = jax.Array

FIRST_LOG_SCALE = -1.0  # exp(-1) = 0.37, in images from -1 to 1


class Autoencoder(Generator):
    """Base: images [B, *image_shape] -> a normal distribution of latents, and latents -> images' means.

    `__call__` makes the means of images of the means of their latents.

    Attributes, beside those of `Generator`, whose `condition` joins the label to the inputs of both networks:
        code_size: L, the length of the latents.
        widths: of the hidden layers of the encoder; the decoder has them the other way round.
        activation: a name in `layers.ACTIVATIONS`.
    """

    CONDITIONS: ClassVar[tuple[str, ...]] = ("none", *INPUTS)
    output: ClassVar[str] = "linear"

    code_size: int = 100
    widths: tuple[int, ...] = (32, 64)
    activation: str = "silu"

    def setup(self) -> None:
        check_count(self.code_size, "code_size")
        check_widths(self.widths)
        self.encoder, self.decoder = self.parts()
        channels = (self.image_shape[-1],)
        self.log_scale = self.param("log_scale", nn.initializers.constant(FIRST_LOG_SCALE), channels)

    def parts(self) -> tuple[nn.Module, nn.Module]:
        """The encoder, of images -> [B, 2 L], and the decoder, of latents -> images."""
        raise NotImplementedError

    def __call__(self, image: Array, label: Array | None, train: bool) -> tuple[Array, Array]:
        return self.decode(self.encode(image, label, train)[0], label, train)

    def encode(self, image: Array, label: Array | None, train: bool) -> tuple[Array, Array]:
        """Mean and logarithm of the variance of each image's latents, [B, L] float32 both."""
        self._check_label(label, image.shape[0])
        mean, log_variance = jnp.split(self.encoder(image, label, train), 2, axis=-1)
        return mean, log_variance

    def decode(self, latent: Array, label: Array | None, train: bool) -> tuple[Array, Array]:
        """Means of images [B, *image_shape], and the logarithm of their scale [C], learned; float32 both."""
        self._check_label(label, latent.shape[0])
        return self.decoder(latent, label, train), self.log_scale

    def _check_label(self, label: Array | None, count: int) -> None:
        check_label(self.condition, self.CONDITIONS, self.num_classes, label, count)

    def _shared(self) -> dict[str, Any]:
        """The fields that both parts have."""
        names = (
            *("widths", "activation", "condition", "num_classes", "embedding_size"),
            *("spectral_norm", "initializer", "remat"),
        )
        return {name: getattr(self, name) for name in names}


class Part(nn.Module):
    """Base of an encoder and a decoder; the fields are those of `Autoencoder`."""

    widths: tuple[int, ...]
    activation: str
    condition: str
    num_classes: int | None
    embedding_size: int
    spectral_norm: bool
    initializer: str
    remat: bool

    def options(self) -> dict[str, Any]:
        """What all its layers are given."""
        init = choose(INITIALIZERS, self.initializer, "initializer")
        return {"kernel_init": init, "spectral_norm": self.spectral_norm}

    def activate(self, x: Array) -> Array:
        return choose(ACTIVATIONS, self.activation, "activation")(x)

    def join(self, x: Array, label: Array | None, train: bool) -> Array:
        """Vectors with the label's code behind them."""
        join = JoinLabel(
            self.condition, self.num_classes, self.embedding_size, self.spectral_norm, name="label"
        )
        return join(x, label, train)

    def dense(self, x: Array, features: int, name: str, train: bool) -> Array:
        return Dense(features, **self.options(), name=name)(x, train)


class ConvEncoder(Part):
    """Images [B, H, W, C] -> [B, outputs] float32: convolutions with stride 2, then two dense layers."""

    outputs: int = 0
    kernel_size: int = 5
    hidden: int = 256

    @nn.compact
    def __call__(self, image: Array, label: Array | None, train: bool) -> Array:
        x = JoinPlanes(
            self.condition, self.num_classes, self.embedding_size, self.spectral_norm, name="label"
        )(image, label, train)
        for index, features in enumerate(self.widths):

            def down(part: ConvEncoder, x: Array, index: int = index, features: int = features) -> Array:
                conv = Conv(features, part.kernel_size, 2, **part.options(), name=f"conv_{index}")
                return part.activate(conv(x, train))

            x = remat_block(self, down, x)
        x = self.activate(self.dense(x.reshape(x.shape[0], -1), self.hidden, "hidden", train))
        return self.dense(at_least_float32(x), self.outputs, "output", train)


class ConvDecoder(Part):
    """Latents [B, L] -> [B, *image_shape] float32: two dense layers, then a doubling for each width."""

    image_shape: tuple[int, int, int] = (0, 0, 0)
    kernel_size: int = 5
    hidden: int = 256

    @nn.compact
    def __call__(self, latent: Array, label: Array | None, train: bool) -> Array:
        height, width, channels = self.image_shape
        widths = self.widths[::-1]
        sizes = halvings((height, width), len(widths))
        x = self.activate(self.dense(self.join(latent, label, train), self.hidden, "hidden", train))
        x = self.dense(x, math.prod(sizes[0]) * widths[0], "map", train)
        x = x.reshape(-1, *sizes[0], widths[0])
        for index, features in enumerate([*widths[1:], channels]):

            def up(part: ConvDecoder, x: Array, index: int = index, features: int = features) -> Array:
                size = sizes[index + 1]
                x = part.activate(x)
                x = at_least_float32(x) if index + 1 == len(widths) else x
                return Upsample(features, part.kernel_size, size, **part.options(), name=f"up_{index}")(
                    x, train
                )

            x = remat_block(self, up, x)
        return x


class ConvAutoencoder(Autoencoder):
    """Of convolutions, for images of any size; each width halves it, odd sides rounded up.

    Attributes, beside those of `Autoencoder`:
        kernel_size: of all convolutions.
        hidden: width of the dense layer between the smallest map and the latents, on both ways.
    """

    kernel_size: int = 5
    hidden: int = 256

    def parts(self) -> tuple[nn.Module, nn.Module]:
        check_kernel(self.kernel_size)
        check_count(self.hidden, "hidden")
        own: dict[str, Any] = dict(kernel_size=self.kernel_size, hidden=self.hidden)
        return (
            ConvEncoder(**self._shared(), outputs=2 * self.code_size, **own),
            ConvDecoder(**self._shared(), image_shape=self.image_shape, **own),
        )


class MLPPart(Part):
    """Vectors or images -> [B, *shape] float32: dense layers, in the order of `widths`."""

    shape: tuple[int, ...] = ()

    @nn.compact
    def __call__(self, x: Array, label: Array | None, train: bool) -> Array:
        x = self.join(x.reshape(x.shape[0], -1), label, train)
        for index, features in enumerate(self.widths):

            def layer(part: MLPPart, x: Array, index: int = index, features: int = features) -> Array:
                return part.activate(part.dense(x, features, f"dense_{index}", train))

            x = remat_block(self, layer, x)
        x = self.dense(at_least_float32(x), math.prod(self.shape), "output", train)
        return x.reshape(-1, *self.shape)


class MLPAutoencoder(Autoencoder):
    """Fully connected, for points and small images."""

    widths: tuple[int, ...] = (128, 128)

    def parts(self) -> tuple[nn.Module, nn.Module]:
        shared = self._shared()
        return (
            MLPPart(**shared, shape=(2 * self.code_size,)),
            MLPPart(**{**shared, "widths": self.widths[::-1]}, shape=self.image_shape),
        )
