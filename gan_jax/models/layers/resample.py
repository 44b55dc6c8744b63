"""Doubling and halving the resolution, alone and fused with a convolution.

A convolution of an image whose pixels were doubled sees the same pixels twice, and so does the mean of four
neighbours of a convolution. Both are a convolution with stride 2 and a kernel of sums of neighbouring taps
(the fused scaling of Karras et al. 2018, arXiv:1710.10196, in the official code): for 3x3 kernels 16 products
where the definition has 36.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from gan_jax.models.layers import conv
from gan_jax.models.layers.precision import at_least_float32

Array = jax.Array


def nearest(x: Array, size: tuple[int, int]) -> Array:
    """Every pixel of [B, h, w, C] doubled in both directions, cropped to `size` = (H, W) at the far ends.

    With H = 2h or 2h - 1 the crop takes half of the last pixel at most: the mirror of `average_pool`.
    """
    count, height, width, channels = x.shape
    # Through float32, because the gradient is a sum.
    y = at_least_float32(x)[:, :, None, :, None, :]
    y = jnp.broadcast_to(y, (count, height, 2, width, 2, channels)).astype(x.dtype)
    return y.reshape(count, 2 * height, 2 * width, channels)[:, : size[0], : size[1]]


def average_pool(x: Array) -> Array:
    """Means of 2x2 pixels, [B, H, W, C] -> [B, ceil(H / 2), ceil(W / 2), C].

    At an odd end the last row or column has no partner and stands for itself.
    """
    count, height, width, channels = x.shape
    if height % 2 or width % 2:  # a padding by nothing would still make devices exchange rows in its gradient
        x = jnp.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    rows, columns = x.shape[1] // 2, x.shape[2] // 2
    return x.reshape(count, rows, 2, columns, 2, channels).mean((2, 4))


def convolve_doubled(x: Array, w: Array, size: tuple[int, int]) -> Array:
    """The convolution of nearest(x, size), with stride 1 and zeros around it.

    Args:
        x: [B, h, w, I].
        w: [kh, kw, I, O].
        size: (height, width) of the output.
    """
    if size != (2 * x.shape[1], 2 * x.shape[2]):
        return same(nearest(x, size), w)
    # Output p sees pixel q through the taps t with (p + t - low) // 2 = q, which are two.
    kernel = jnp.flip(_neighbours_added(w), (0, 1)).swapaxes(2, 3)
    rows, columns = ((k - 1 - (k - 1) // 2, (k - 1) // 2) for k in w.shape[:2])
    mirror = conv.geometry(size, (kernel.shape[0], kernel.shape[1]), (2, 2), (rows, columns))
    return conv.convolve_transpose(x, kernel, mirror)


def convolve_halved(x: Array, w: Array) -> Array:
    """average_pool of the convolution of x with stride 1 and zeros around it.

    Args:
        x: [B, H, W, I].
        w: [kh, kw, I, O].
    """
    if x.shape[1] % 2 or x.shape[2] % 2:
        return average_pool(same(x, w))
    kernel = _neighbours_added(w) / 4
    rows, columns = (((k - 1) // 2, k - 1 - (k - 1) // 2) for k in w.shape[:2])
    g = conv.geometry((x.shape[1], x.shape[2]), (kernel.shape[0], kernel.shape[1]), (2, 2), (rows, columns))
    return conv.convolve(x, kernel, g)


def same(x: Array, w: Array) -> Array:
    """The convolution with stride 1 and zero padding to the same size."""
    return conv.convolve(
        x, w, conv.geometry((x.shape[1], x.shape[2]), (w.shape[0], w.shape[1]), (1, 1), "SAME")
    )


def _neighbours_added(w: Array) -> Array:
    """w[i, j] + w[i - 1, j] + w[i, j - 1] + w[i - 1, j - 1], [kh + 1, kw + 1, ...]."""
    wide = jnp.pad(at_least_float32(w), ((1, 1), (1, 1), (0, 0), (0, 0)))
    wide = wide[1:] + wide[:-1]
    return (wide[:, 1:] + wide[:, :-1]).astype(w.dtype)
