"""Convolutions with a large kernel and few channels as ones of 2x2 blocks of pixels, for the CPU.

XLA's fast kernel works on vectors of channels, and is slow where pictures come in or go out. The four outputs
of a block see almost the same inputs, so a convolution with stride 2 and a kernel larger by one, which is the
kernel at its four places, makes them as four times the channels: of 9x9 taps it takes 100 where the
definition has 81, and the last layer of SRResNet with its gradients takes a fifth of the time.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from gan_jax.models.layers.geometry import Geometry

Array = jax.Array

PLACES = ((0, 0), (0, 1), (1, 0), (1, 1))  # of a pixel in its block
# Timed on two x86 cores with AVX-512: of smaller kernels the larger one is too much more work, and with more
# channels, or one (a matrix and a vector), the plain forms are fast.
SMALLEST_KERNEL = 7
CHANNELS = range(2, 8)


def is_faster(g: Geometry, inputs: int, outputs: int) -> bool:
    """Whether blocks are faster than the definition; they need outputs of even height and width."""
    return (
        g.stride == (1, 1)
        and min(g.kernel) >= SMALLEST_KERNEL
        and min(inputs, outputs) in CHANNELS
        and g.small[0] % 2 == g.small[1] % 2 == 0
    )


def geometry(g: Geometry) -> Geometry:
    """That of the convolution which makes blocks."""
    small, kernel = (g.small[0] // 2, g.small[1] // 2), (g.kernel[0] + 1, g.kernel[1] + 1)
    return Geometry(g.large, small, kernel, (2, 2), g.padding)


def kernel(w: Array) -> Array:
    """[kh, kw, I, O] -> [kh + 1, kw + 1, I, 4 * O]: w at its four places."""
    return jnp.concatenate([jnp.pad(w, ((i, 1 - i), (j, 1 - j), (0, 0), (0, 0))) for i, j in PLACES], axis=-1)


def taps(wide: Array) -> Array:
    """The transpose of `kernel`: [kh + 1, kw + 1, I, 4 * O] -> [kh, kw, I, O], the four places added up."""
    height, width = wide.shape[0] - 1, wide.shape[1] - 1
    parts = zip(PLACES, jnp.split(wide, 4, axis=-1), strict=True)
    return sum((part[i : i + height, j : j + width] for (i, j), part in parts), jnp.zeros((), wide.dtype))


def blocks(y: Array) -> Array:
    """Pixels as channels of their block: [B, 2 * h, 2 * w, O] -> [B, h, w, 4 * O]."""
    count, height, width, channels = y.shape
    split = y.reshape(count, height // 2, 2, width // 2, 2, channels)
    return split.transpose(0, 1, 3, 2, 4, 5).reshape(count, height // 2, width // 2, 4 * channels)


def pixels(y: Array) -> Array:
    """The inverse of `blocks`."""
    count, height, width, channels = y.shape
    split = y.reshape(count, height, width, 2, 2, channels // 4)
    return split.transpose(0, 1, 3, 2, 4, 5).reshape(count, 2 * height, 2 * width, channels // 4)
