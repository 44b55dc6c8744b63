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

Array = jax.Array


class LeanBatchNorm(nn.Module):
    """In training; fields as of `flax.linen.BatchNorm`.

    Attributes:
        together: whether sums are taken in one reduction. Over several devices XLA would gather what is
            reduced so.
    """

    momentum: float
    epsilon: float
    use_bias: bool
    use_scale: bool
    scale_init: Callable[..., Array]
    together: bool

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x float32 [..., C] normalised per channel; the moving statistics move."""
        shape = (x.shape[-1],)
        mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
        var = self.variable("batch_stats", "var", jnp.ones, shape)
        scale = self.param("scale", self.scale_init, shape) if self.use_scale else jnp.ones(shape)
        bias = self.param("bias", nn.initializers.zeros, shape) if self.use_bias else jnp.zeros(shape)
        found = statistics(lax.stop_gradient(x), self.together)
        if not self.is_initializing():
            for moving, now in zip((mean, var), found, strict=True):
                moving.value = self.momentum * moving.value + (1 - self.momentum) * now
        return normalise(x, scale, bias, self.epsilon, self.together)


def statistics(x: Array, together: bool) -> tuple[Array, Array]:
    """Mean and variance of x [..., C] per channel; the one-pass variance, as Flax's."""
    count = math.prod(x.shape[:-1])
    total, squares = (one / count for one in _sums(x, jnp.square(x), together))
    return total, jnp.maximum(0.0, squares - jnp.square(total))


@partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def normalise(x: Array, scale: Array, bias: Array, epsilon: float, together: bool) -> Array:
    """(x - mean) / sqrt(var + epsilon) * scale + bias, of x [..., C]."""
    return _forward(x, scale, bias, epsilon, together)[0]


def _forward(
    x: Array, scale: Array, bias: Array, epsilon: float, together: bool
) -> tuple[Array, tuple[Array, ...]]:
    mean, var = statistics(x, together)
    inverse = lax.rsqrt(var + epsilon)
    return (x - mean) * (inverse * scale) + bias, (x, scale, mean, inverse)


def _backward(
    epsilon: float, together: bool, kept: tuple[Array, ...], dy: Array
) -> tuple[Array, Array, Array]:
    x, scale, mean, inverse = kept
    count = math.prod(x.shape[:-1])
    normal = (x - mean) * inverse
    dbias, dscale = _sums(dy, dy * normal, together)
    dx = (scale * inverse) * (dy - (dbias + normal * dscale) / count)
    return dx, dscale, dbias


normalise.defvjp(_forward, _backward)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _sums(a: Array, b: Array, together: bool) -> tuple[Array, Array]:
    """The sums of two arrays [..., C] per channel."""
    axes = tuple(range(a.ndim - 1))
    if not together:
        return jnp.sum(a, axes), jnp.sum(b, axes)
    zero = jnp.zeros((), a.dtype)
    add = lambda x, y: (x[0] + y[0], x[1] + y[1])
    return lax.reduce((a, b), (zero, zero), add, axes)


def _sums_forward(a: Array, b: Array, together: bool) -> tuple[tuple[Array, Array], tuple[int, ...]]:
    return _sums(a, b, together), a.shape


def _sums_backward(together: bool, shape: tuple[int, ...], d: tuple[Array, Array]) -> tuple[Array, Array]:
    return jnp.broadcast_to(d[0], shape), jnp.broadcast_to(d[1], shape)


_sums.defvjp(_sums_forward, _sums_backward)
