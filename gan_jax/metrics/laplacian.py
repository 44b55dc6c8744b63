"""The Laplacian pyramid of images.

Burt and Adelson 1983, "The Laplacian Pyramid as a Compact Image Code", with their binomial filter.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

Array = jax.Array

SMALLEST_SIDE = 16  # of the last level; Karras et al. 2018, arXiv:1710.10196, section 5


def num_levels(height: int, width: int) -> int:
    """How many levels a pyramid has whose sides are halved exactly and stay at 16 or more; at least 1."""
    count = 1
    while height % 2 == 0 and width % 2 == 0 and min(height, width) // 2 >= SMALLEST_SIDE:
        height, width, count = height // 2, width // 2, count + 1
    return count


def laplacian_pyramid(images: Array, levels: int) -> list[Array]:
    """float32 [B, H >> l, W >> l, C] for each level l: what the next level, enlarged, lacks; last, the rest.

    images[l] = pyramid[l] + upsample(images[l + 1]) gives the image back.

    Args:
        images: float32 [B, H, W, C]; H and W are multiples of 2^(levels - 1).
    """
    pyramid = []
    for _ in range(levels - 1):
        smaller = downsample(images)
        pyramid.append(images - upsample(smaller))
        images = smaller
    return [*pyramid, images]


def downsample(images: Array) -> Array:
    """[B, H, W, C] blurred, and every second row and column of it: [B, H / 2, W / 2, C]."""
    return _blur(images)[:, ::2, ::2]


def upsample(images: Array) -> Array:
    """[B, H, W, C] with zeros between, blurred and brought back to its brightness: [B, 2 H, 2 W, C]."""
    b, h, w, c = images.shape
    spread = jnp.zeros((b, 2 * h, 2 * w, c), images.dtype).at[:, ::2, ::2].set(images)
    return 4 * _blur(spread)


def _blur(images: Array) -> Array:
    """The binomial filter 1 4 6 4 1 along both sides; the border is mirrored about its outermost pixels.

    A sum of shifted images: an accelerator's convolution would round to three digits.
    """
    padded = jnp.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    h, w = images.shape[1:3]
    taps = [weight / 16 for weight in (1, 4, 6, 4, 1)]
    columns = jnp.stack([tap * padded[:, k : k + h] for k, tap in enumerate(taps)]).sum(0)
    return jnp.stack([tap * columns[:, :, k : k + w] for k, tap in enumerate(taps)]).sum(0)
