"""Self-attention of images: every position sees all of the map.

Zhang, Goodfellow, Metaxas, Odena 2019, "Self-attention generative adversarial networks",
arXiv:1805.08318, section 3, with the official code's 2x2 max-pooling of keys and values, its C/2
channels of values, and no biases.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.models.layers.layers import INITIALIZERS, Conv, Initializer
from gan_jax.models.layers.precision import at_least_float32

Array = jax.Array


def max_pool(x: Array) -> Array:
    """The largest of each 2x2 block: [B, H, W, C] -> [B, ceil(H/2), ceil(W/2), C].

    With an odd size the last blocks are smaller, so no position is lost. Equal largest values share
    the gradient. Made of a reshape and a maximum, whose gradients of any order are cheap.
    """
    b, h, w, c = x.shape
    x = jnp.pad(x, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)), mode="edge")
    return x.reshape(b, (h + 1) // 2, 2, (w + 1) // 2, 2, c).max(axis=(2, 4))


class SelfAttention(nn.Module):
    """Images [B, H, W, C] -> [B, H, W, C]: x + gamma * output(softmax(query key^T) value).

    query = f(x) [HW, C/8], key = pooled g(x) and value = pooled h(x) [ceil(H/2) ceil(W/2), C/8 and
    C/2], all 1x1 convolutions (at least one channel each). gamma starts at 0, so the layer starts as
    the identity. Works on each example alone.

    Attributes:
        spectral_norm: of all four convolutions, as in the paper; `train` then moves the estimates.
        kernel_init: of all four.
    """

    spectral_norm: bool = False
    kernel_init: Initializer = INITIALIZERS["glorot_uniform"]

    @nn.compact
    def __call__(self, x: Array, train: bool = False) -> Array:
        def project(x: Array, features: int, name: str) -> Array:
            layer = Conv(
                max(features, 1),
                1,
                use_bias=False,
                kernel_init=self.kernel_init,
                spectral_norm=self.spectral_norm,
                name=name,
            )
            return layer(x, train)

        b, h, w, c = x.shape
        query = project(x, c // 8, "query").reshape(b, h * w, -1)
        key = max_pool(project(x, c // 8, "key"))
        value = max_pool(project(x, c // 2, "value"))
        key, value = (y.reshape(b, -1, y.shape[-1]) for y in (key, value))
        alike = jnp.einsum("bic,bjc->bij", query, key)
        weights = jax.nn.softmax(at_least_float32(alike), axis=-1).astype(x.dtype)
        seen = jnp.einsum("bij,bjc->bic", weights, value).reshape(b, h, w, -1)
        gamma = self.param("gamma", nn.initializers.zeros, ())
        more = at_least_float32(project(seen, c, "output"))  # the gradient of gamma sums over everything
        return x + (gamma.astype(more.dtype) * more).astype(x.dtype)
