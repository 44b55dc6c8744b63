"""Batch normalisation in few kernels, for accelerators; Flax's, with its parameters and statistics.

A statistic over a batch of maps is two kernels on a GPU, and autodiff of Flax's layer makes six sums one
after the other. Here the two sums of each direction are taken together, and the gradient is the one of Ioffe
and Szegedy 2015 (arXiv:1502.03167, section 3) in closed form. The numbers are the same, within rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.models.layers.sums import channel_sums, parts

Array = jax.Array


class LeanBatchNorm(nn.Module):
    """In training; fields as of `flax.linen.BatchNorm`."""

    momentum: float
    epsilon: float
    use_bias: bool
    use_scale: bool
    scale_init: Callable[..., Array]

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x float32 [..., C] normalised per channel; the moving statistics move."""
        shape = (x.shape[-1],)
        mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
        var = self.variable("batch_stats", "var", jnp.ones, shape)
        scale = self.param("scale", self.scale_init, shape) if self.use_scale else jnp.ones(shape)
        bias = self.param("bias", nn.initializers.zeros, shape) if self.use_bias else jnp.zeros(shape)
        y, *found = normalise(x, scale, bias, self.epsilon)
        if not self.is_initializing():
            for moving, now in zip((mean, var), found, strict=True):
                moving.value = self.momentum * moving.value + (1 - self.momentum) * now
        return y


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def normalise(x: Array, scale: Array, bias: Array, epsilon: float) -> tuple[Array, Array, Array]:
    """(x - mean) / sqrt(var + epsilon) * scale + bias, of x [..., C]; mean and var [C], without gradients.

    The variance is the one-pass one, as Flax's.
    """
    return _forward(x, scale, bias, epsilon)[0]


def _forward(
    x: Array, scale: Array, bias: Array, epsilon: float
) -> tuple[tuple[Array, Array, Array], tuple[Array, ...]]:
    count = math.prod(x.shape[:-1])
    mean, squares = (one / count for one in channel_sums(parts(x.shape, "maps"), x, jnp.square(x)))
    var = jnp.maximum(0.0, squares - jnp.square(mean))
    inverse = lax.rsqrt(var + epsilon)
    return ((x - mean) * (inverse * scale) + bias, mean, var), (x, scale, mean, inverse)


def _backward(
    epsilon: float, kept: tuple[Array, ...], d: tuple[Array, Array, Array]
) -> tuple[Array, Array, Array]:
    x, scale, mean, inverse = kept
    dy, count = d[0], math.prod(x.shape[:-1])
    normal = (x - mean) * inverse
    # Of so many numbers at once XLA:GPU would not take a sum in few parts in one kernel.
    dbias, dscale = channel_sums(1, dy, dy * normal)
    dx = (scale * inverse) * (dy - (dbias + normal * dscale) / count)
    return dx, dscale, dbias


normalise.defvjp(_forward, _backward)
