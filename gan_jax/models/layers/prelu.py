"""The parametric ReLU."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.models.layers.precision import at_least_float32

Array = jax.Array


class PReLU(nn.Module):
    """max(0, x) + slope * min(0, x) with one learned slope for all channels, 0.25 at the start.

    He et al. 2015, arXiv:1502.01852, equation 1, in its channel-shared variant; PyTorch's `nn.PReLU()`.
    Computed in float32, as the slope's gradient is a sum over everything, and given in x's precision.
    """

    @nn.compact
    def __call__(self, x: Array) -> Array:
        slope = self.param("slope", nn.initializers.constant(0.25), ())
        wide = at_least_float32(x)
        return jnp.where(wide >= 0, wide, slope * wide).astype(x.dtype)
