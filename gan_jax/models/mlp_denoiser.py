"""A fully connected denoiser, for points of a density."""

from __future__ import annotations

import math

import flax.linen as nn
import jax

from gan_jax.models.layers.denoiser import Denoiser, nearly_zero
from gan_jax.models.layers.layers import ACTIVATIONS, Dense, choose
from gan_jax.models.layers.precision import at_least_float32
from gan_jax.models.layers.remat import remat_block
from gan_jax.utils.checks import check_count, check_widths

Array = jax.Array


class MLPDenoiser(Denoiser):
    """Hidden layers, each of the one before plus a layer of the time's vector; at first it answers nearly 0.

    Attributes, beside those of `Denoiser`:
        widths: of the hidden layers.
        activation: a name in `layers.ACTIVATIONS`.
        embedding_size: of the vector that the time becomes.
    """

    widths: tuple[int, ...] = (128, 128, 128)
    activation: str = "silu"
    embedding_size: int = 64

    @nn.compact
    def __call__(self, x: Array, time: Array, label: Array | None, train: bool) -> Array:
        check_widths(self.widths)
        check_count(self.embedding_size, "embedding_size")
        activation = choose(ACTIVATIONS, self.activation, "activation")
        told = self.embed(time, label, self.embedding_size, self.embedding_size, train).astype(x.dtype)
        x = x.reshape(x.shape[0], -1)
        for index, features in enumerate(self.widths):

            def layer(self: MLPDenoiser, x: Array, index: int = index, features: int = features) -> Array:
                shift = Dense(features, use_bias=False, name=f"time_dense_{index}")(told, train)
                return activation(Dense(features, name=f"dense_{index}")(x, train) + shift)

            x = remat_block(self, layer, x)
        output = Dense(math.prod(self.image_shape), kernel_init=nearly_zero, name="output")
        return output(at_least_float32(x), train).reshape(-1, *self.image_shape)
