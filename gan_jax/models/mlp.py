"""Fully connected networks: the second course's GAN, Goodfellow et al. 2014 (arXiv:1406.2661) and, with a
label joined to each input, Mirza and Osindero 2014 (arXiv:1411.1784).
"""

from __future__ import annotations

import math
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.models.layers.conditioning import INPUTS, Discriminator, Generator, JoinLabel
from gan_jax.models.layers.layers import ACTIVATIONS, INITIALIZERS, OUTPUTS, Dense, Dropout, choose
from gan_jax.models.layers.norms import FLAT_NORMS, Norm, check_norm
from gan_jax.models.layers.precision import at_least_float32
from gan_jax.models.layers.remat import remat_block
from gan_jax.utils.checks import check_count, check_widths

Array = jax.Array


class MLPGenerator(Generator):
    """Latents [B, L] -> images [B, *image_shape] in (-1, 1), or points of any range with output="linear".

    Attributes, beside those of `Generator` (whose `condition` cannot be "batch_norm"):
        widths: of the hidden layers, each followed by its activation and its norm.
        activation: a name in `layers.ACTIVATIONS`.
        norm: a name in `norms.FLAT_NORMS`.
        norm_first: whether the norm stands before the activation.
        momentum: of the moving statistics.
        norm_epsilon: added to the variance by the norm; 0 for its own, see `layers.norms`.
        output: "tanh" for images, "linear" for points of a density, which may lie beyond 1, "softmax" for
            tiles; a name in `layers.OUTPUTS`.
    """

    CONDITIONS: ClassVar[tuple[str, ...]] = ("none", *INPUTS)

    widths: tuple[int, ...] = (256, 512, 1024)
    activation: str = "leaky_relu"
    norm: str = "batch"
    norm_first: bool = False
    momentum: float = 0.8
    norm_epsilon: float = 0.0
    output: str = "tanh"

    @nn.compact
    def __call__(self, latent: Array, label: Array | None, train: bool) -> Array:
        check_widths(self.widths)
        check_norm(self.norm, choices=FLAT_NORMS)
        activation = choose(ACTIVATIONS, self.activation, "activation")
        init = choose(INITIALIZERS, self.initializer, "initializer")
        output = choose(OUTPUTS, self.output, "output")

        def dense(x: Array, features: int, name: str) -> Array:
            layer = Dense(features, kernel_init=init, spectral_norm=self.spectral_norm, name=name)
            return layer(x, train)

        x = self.join_label(latent, label, train)
        x = dense(x, self.widths[0], "dense_0")
        for index, features in enumerate([*self.widths[1:], math.prod(self.image_shape)]):

            def layer(self: MLPGenerator, x: Array, index: int = index, features: int = features) -> Array:
                norm = Norm(
                    self.norm,
                    self.momentum,
                    self.norm_epsilon,
                    axis_name=self.axis_name,
                    name=f"norm_{index}",
                )
                x = activation(norm(x, None, train)) if self.norm_first else norm(activation(x), None, train)
                if index + 1 < len(self.widths):
                    return dense(x, features, f"dense_{index + 1}")
                # Points are finer than images, whose 256 levels bfloat16 can hold.
                return dense(at_least_float32(x) if self.output == "linear" else x, features, "output")

            x = remat_block(self, layer, x)
        return output(x.reshape(-1, *self.image_shape))


class MLPDiscriminator(Discriminator):
    """Images [B, H, W, C] -> logits [B], or (logits [B], auxiliary outputs [B, n]) with `auxiliary` = n.

    Attributes, beside those of `Discriminator`:
        widths: of the hidden layers.
        activation: a name in `layers.ACTIVATIONS`.
        maxout_pieces: more than 1: a hidden unit is the largest of so many linear ones, in the place of its
            activation (Goodfellow et al. 2013, arXiv:1302.4389).
        norm: a name in `norms.FLAT_NORMS`, between activation and dropout.
        dropout: share of each hidden layer that is dropped, per example.
        initializer: a name in `layers.INITIALIZERS`.
    """

    widths: tuple[int, ...] = (512, 256)
    activation: str = "leaky_relu"
    maxout_pieces: int = 1
    dropout: float = 0.0
    momentum: float = 0.8
    initializer: str = "glorot_uniform"

    @nn.compact
    def __call__(self, image: Array, label: Array | None, train: bool) -> Array | tuple[Array, Array]:
        check_widths(self.widths)
        check_norm(self.norm, choices=FLAT_NORMS)
        self.check_label(label, image.shape[0])
        check_count(self.maxout_pieces, "maxout_pieces")
        pieces = self.maxout_pieces
        activation = choose(ACTIVATIONS, self.activation, "activation")
        if pieces > 1:
            activation = lambda x: jnp.max(x.reshape(*x.shape[:-1], -1, pieces), axis=-1)
        init = choose(INITIALIZERS, self.initializer, "initializer")
        x = JoinLabel(
            self.condition, self.num_classes, self.embedding_size, self.spectral_norm, name="label"
        )(image.reshape(image.shape[0], -1), label, train)

        def dense(x: Array, index: int) -> Array:
            features, spectral_norm = pieces * self.widths[index], self.spectral_norm
            layer = Dense(features, kernel_init=init, spectral_norm=spectral_norm, name=f"dense_{index}")
            return layer(x, train)

        x = dense(x, 0)
        for index in range(len(self.widths)):

            def layer(self: MLPDiscriminator, x: Array, index: int = index) -> Array:
                x = self.normalise(self.norm, f"norm_{index}")(activation(x), None, train)
                x = Dropout(self.dropout, self.axis_name, name=f"dropout_{index}")(x, train)
                return x if index + 1 == len(self.widths) else dense(x, index + 1)

            x = remat_block(self, layer, x)
        return self.outputs(x, label, train, name="output", kernel_init=init)
