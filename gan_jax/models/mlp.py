"""Fully connected networks: the second course's GAN, and Goodfellow et al. 2014 (arXiv:1406.2661)."""

from __future__ import annotations

import math

import flax.linen as nn
import jax

from gan_jax.checks import check_widths
from gan_jax.models.layers import ACTIVATIONS, INITIALIZERS, BatchNorm, Dropout, choose

Array = jax.Array


class MLPGenerator(nn.Module):
    """Latents [B, L] -> images [B, *image_shape] in (-1, 1).

    Attributes:
        image_shape: (height, width, channels).
        widths: of the hidden layers, each followed by its activation and BatchNorm.
        activation: a name in `layers.ACTIVATIONS`.
        batch_norm: whether the hidden layers are normalised.
        momentum: of the moving statistics.
        initializer: a name in `layers.INITIALIZERS`.
    """

    image_shape: tuple[int, int, int]
    widths: tuple[int, ...] = (256, 512, 1024)
    activation: str = "leaky_relu"
    batch_norm: bool = True
    momentum: float = 0.8
    initializer: str = "glorot_uniform"
    axis: str | None = None

    @nn.compact
    def __call__(self, latent: Array, train: bool) -> Array:
        check_widths(self.widths)
        activation = choose(ACTIVATIONS, self.activation, "activation")
        init = choose(INITIALIZERS, self.initializer, "initializer")
        x = latent
        for index, features in enumerate(self.widths):
            x = activation(nn.Dense(features, kernel_init=init, name=f"dense_{index}")(x))
            if self.batch_norm:
                x = BatchNorm(self.momentum, self.axis, name=f"norm_{index}")(x, train)
        x = nn.Dense(math.prod(self.image_shape), kernel_init=init, name="output")(x)
        return jax.numpy.tanh(x).reshape(-1, *self.image_shape)


class MLPDiscriminator(nn.Module):
    """Images [B, H, W, C] -> logits [B].

    Attributes:
        widths: of the hidden layers.
        activation: a name in `layers.ACTIVATIONS`.
        dropout: share of each hidden layer that is dropped, per example.
        initializer: a name in `layers.INITIALIZERS`.
    """

    widths: tuple[int, ...] = (512, 256)
    activation: str = "leaky_relu"
    dropout: float = 0.0
    initializer: str = "glorot_uniform"
    axis: str | None = None

    @nn.compact
    def __call__(self, image: Array, train: bool) -> Array:
        check_widths(self.widths)
        activation = choose(ACTIVATIONS, self.activation, "activation")
        init = choose(INITIALIZERS, self.initializer, "initializer")
        x = image.reshape(image.shape[0], -1)
        for index, features in enumerate(self.widths):
            x = activation(nn.Dense(features, kernel_init=init, name=f"dense_{index}")(x))
            x = Dropout(self.dropout, self.axis, name=f"dropout_{index}")(x, train)
        return nn.Dense(1, kernel_init=init, name="output")(x)[:, 0]
