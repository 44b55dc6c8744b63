"""Strided convolution, its transpose and its weight gradient, closed under differentiation.

The three are bilinear maps, and the gradient of each is made of the other two:

    y = convolve(x, w)            dx = convolve_transpose(dy, w)   dw = convolve_weights(x, dy)
    x = convolve_transpose(y, w)  dy = convolve(dx, w)             dw = convolve_weights(dx, y)
    w = convolve_weights(x, y)    dx = convolve_transpose(y, dw)   dy = convolve(x, dw)

so gradients of any order (a gradient penalty needs the second) stay within them. On the CPU each is spelt as
XLA has a fast kernel for it (`gan_jax.models.layers.conv_cpu`); elsewhere it is `lax.conv_general_dilated`
and what autodiff makes of it, which is what cuDNN's kernels are matched by. Reverse mode only: `jax.jvp`
through these raises. For other programs than XLA there is one `plain` spelling for all platforms.

Definition. `convolve` is the cross-correlation of every deep-learning library. The transposed
convolution is its linear transpose: each input pixel stamps the kernel, scaled, onto the output at
`stride` times its position, overlaps are summed, and the padding of the mirror convolution is
cropped (Dumoulin and Visin 2016, arXiv:1603.07285, chapter 4). With the kernel as [kh, kw, out, in]
this is Keras's `Conv2DTranspose` (padding "same" or "valid"), weights as they are; with `padding=p`
pairs it is PyTorch's `ConvTranspose2d(padding=p)`, weights permuted from its [in, out, kh, kw] and
no flip. Flax's `nn.ConvTranspose` slides the kernel unflipped instead, and pads differently.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.core import launches
from gan_jax.models.layers import conv_cpu
from gan_jax.models.layers.geometry import LAYOUT, Geometry, Padding, Pair, geometry
from gan_jax.models.layers.sums import channel_sums, parts

__all__ = [
    "Geometry",
    "Padding",
    "Pair",
    "convolve",
    "convolve_transpose",
    "convolve_weights",
    "geometry",
    "plain",
    "transpose_and_add",
]

Array = jax.Array
_PLAIN: ContextVar[bool] = ContextVar("one spelling for all platforms", default=False)


@contextlib.contextmanager
def plain() -> Iterator[None]:
    """Context for tracing programs that are translated for something else than XLA (ONNX).

    The same numbers, within rounding: each map is one `lax.conv_general_dilated`, whose input is dilated
    where the convolution is transposed.
    """
    token = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(token)


def _conv(x: Array, w: Array, g: Geometry) -> Array:
    return lax.conv_general_dilated(x, w, g.stride, g.padding, dimension_numbers=LAYOUT)


def _padded(x: Array, g: Geometry) -> tuple[Array, Geometry]:
    """The input with its padding, and the geometry without, where that saves kernels; else both as they are.

    cuDNN pads both ends of a dimension alike. What differs is padded in a kernel before, for the convolution
    and for its gradient in the weights each time; so they share it. A barrier keeps XLA from undoing it.
    """
    if not launches.are_costly("gpu") or all(low == high for low, high in g.padding):
        return x, g
    padded = lax.optimization_barrier(jnp.pad(x, ((0, 0), *g.padding, (0, 0))))
    large = tuple(n + low + high for n, (low, high) in zip(g.large, g.padding, strict=True))
    return padded, g._replace(large=(large[0], large[1]), padding=((0, 0), (0, 0)))


def _convolve_default(x: Array, w: Array, g: Geometry) -> Array:
    padded, inside = _padded(x, g)
    return _conv(padded, w, inside)


def _transpose_default(y: Array, w: Array, g: Geometry) -> Array:
    # Where to linearise does not matter; made of y, so that it varies over the same mapped axes.
    x = jnp.broadcast_to(y[0, 0, 0, 0], (y.shape[0], *g.large, w.shape[2]))
    return jax.vjp(lambda x: _conv(x, w, g), x)[1](y)[0]


def _weights_default(x: Array, y: Array, g: Geometry) -> Array:
    x, g = _padded(x, g)
    w = jnp.broadcast_to(x[0, 0, 0, 0], (*g.kernel, x.shape[3], y.shape[3]))
    return jax.vjp(lambda w: _conv(x, w, g), w)[1](y)[0]


def _transpose_plain(y: Array, w: Array, g: Geometry) -> Array:
    pads = [
        (k - 1 - low, n + low - 1 - (m - 1) * s)
        for n, m, k, s, (low, _) in zip(g.large, g.small, g.kernel, g.stride, g.padding, strict=True)
    ]
    w = lax.rev(w, (0, 1)).swapaxes(2, 3)
    return lax.conv_general_dilated(y, w, (1, 1), pads, lhs_dilation=g.stride, dimension_numbers=LAYOUT)


def _per_platform(cpu: Callable, default: Callable, a: Array, b: Array, g: Geometry) -> Array:
    if _PLAIN.get():
        return _transpose_plain(a, b, g) if default is _transpose_default else default(a, b, g)
    return lax.platform_dependent(a, b, cpu=partial(cpu, g=g), default=partial(default, g=g))


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve(x: Array, w: Array, g: Geometry) -> Array:
    """x [B, *large, I], w [kh, kw, I, O] -> y [B, *small, O]."""
    return _per_platform(conv_cpu.convolve, _convolve_default, x, w, g)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve_transpose(y: Array, w: Array, g: Geometry) -> Array:
    """y [B, *small, O], w [kh, kw, I, O] -> x [B, *large, I]; note that O is the input here."""
    return _per_platform(conv_cpu.transpose, _transpose_default, y, w, g)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve_weights(x: Array, y: Array, g: Geometry) -> Array:
    """x [B, *large, I], y [B, *small, O] -> w [kh, kw, I, O], the gradient of <y, convolve(x, w)>."""
    return _per_platform(conv_cpu.weights, _weights_default, x, y, g)


convolve.defvjp(
    lambda x, w, g: (convolve(x, w, g), (x, w)),
    lambda g, xw, dy: (convolve_transpose(dy, xw[1], g), convolve_weights(xw[0], dy, g)),
)
convolve_transpose.defvjp(
    lambda y, w, g: (convolve_transpose(y, w, g), (y, w)),
    lambda g, yw, dx: (convolve(dx, yw[1], g), convolve_weights(dx, yw[0], g)),
)
convolve_weights.defvjp(
    lambda x, y, g: (convolve_weights(x, y, g), (x, y)),
    lambda g, xy, dw: (convolve_transpose(xy[1], dw, g), convolve(xy[0], dw, g)),
)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def transpose_and_add(y: Array, w: Array, bias: Array, g: Geometry) -> Array:
    """convolve_transpose(y, w, g) + bias [I], whose gradients read dx as it is padded once."""
    return convolve_transpose(y, w, g) + bias


def _transpose_and_add_backward(
    g: Geometry, kept: tuple[Array, Array], dx: Array
) -> tuple[Array, Array, Array]:
    y, w = kept
    padded, inside = _padded(dx, g)
    bias = channel_sums(parts(padded.shape), padded)[0]
    return convolve(padded, w, inside), convolve_weights(padded, y, inside), bias


transpose_and_add.defvjp(
    lambda y, w, bias, g: (transpose_and_add(y, w, bias, g), (y, w)), _transpose_and_add_backward
)
