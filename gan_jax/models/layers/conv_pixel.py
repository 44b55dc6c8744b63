"""Convolutions to a single pixel: one product of matrices, for the CPU.

A U-Net halves its maps down to 1x1: there 4x4 taps around a 2x2 map see four pixels and twelve zeros. Without
the zeros, and as the product that it is, the layer takes a tenth of the time.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.models.layers.geometry import Geometry

Array = jax.Array


def is_one(g: Geometry) -> bool:
    """Whether it has one output, of several taps that see the image."""
    seen = all(0 <= low < kernel for kernel, (low, _) in zip(g.kernel, g.padding, strict=True))
    return g.small == (1, 1) and g.kernel != (1, 1) and seen


def convolve(x: Array, w: Array, g: Geometry) -> Array:
    """x [B, *large, I], w [kh, kw, I, O] -> y [B, 1, 1, O]."""
    x, w = _pixels(x, g), _taps(w, g)
    y = _product(x.reshape(x.shape[0], -1), w.reshape(-1, w.shape[3]))
    return y[:, None, None, :].astype(x.dtype)


def transpose(y: Array, w: Array, g: Geometry) -> Array:
    """y [B, 1, 1, O], w [kh, kw, I, O] -> x [B, *large, I]."""
    w = _taps(w, g)
    x = _product(y[:, 0, 0], w.reshape(-1, w.shape[3]).T).astype(y.dtype)
    x = x.reshape(-1, *w.shape[:3])
    rows, columns = ((0, size - seen, 0) for size, seen in zip(g.large, w.shape[:2], strict=True))
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), rows, columns, (0, 0, 0)])


def weights(x: Array, y: Array, g: Geometry) -> Array:
    """x [B, *large, I], y [B, 1, 1, O] -> w [kh, kw, I, O]."""
    x = _pixels(x, g)
    w = _product(x.reshape(x.shape[0], -1).T, y[:, 0, 0]).astype(x.dtype)
    w = w.reshape(*x.shape[1:], y.shape[3])
    rows, columns = ((t.start, size - t.stop, 0) for size, t in zip(g.kernel, _seen(g), strict=True))
    return lax.pad(w, jnp.zeros((), w.dtype), [rows, columns, (0, 0, 0), (0, 0, 0)])


def _seen(g: Geometry) -> list[slice]:
    """Of both dimensions, the taps that see pixels and not zeros."""
    return [
        slice(low, low + min(kernel - low, size))
        for size, kernel, (low, _) in zip(g.large, g.kernel, g.padding, strict=True)
    ]


def _taps(w: Array, g: Geometry) -> Array:
    rows, columns = _seen(g)
    return w[rows, columns]


def _pixels(x: Array, g: Geometry) -> Array:
    """Those that some tap sees."""
    rows, columns = (taps.stop - taps.start for taps in _seen(g))
    return x[:, :rows, :columns]


def _product(a: Array, b: Array) -> Array:
    """In the precision of its sums."""
    return jnp.matmul(a, b, preferred_element_type=jnp.promote_types(a.dtype, jnp.float32))
