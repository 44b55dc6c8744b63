"""Rows of a batch joined, and taken apart again."""

from __future__ import annotations

import jax
import jax.numpy as jnp

Array = jax.Array


def interleave(a: Array, b: Array) -> Array:
    """[B, ...], [B, ...] -> [2 B, ...]: a[0], b[0], a[1], ..."""
    return jnp.stack((a, b), 1).reshape(-1, *a.shape[1:])


def deinterleave(x: Array) -> tuple[Array, Array]:
    """The two that `interleave` joined."""
    pairs = x.reshape(-1, 2, *x.shape[1:])
    return pairs[:, 0], pairs[:, 1]


def pack(image: Array, count: int) -> Array:
    """[B, H, W, C] -> [B / count, H, W, count * C]: `count` neighbours become one example.

    Raises:
        ValueError: `count` does not divide B.
    """
    if count == 1:
        return image
    size, height, width, channels = image.shape
    if size % count != 0:  # a symbolic batch that it divides gives 0
        raise ValueError(f"packing={count} does not divide the batch, {size}")
    image = image.reshape(size // count, count, height, width, channels)
    return jnp.moveaxis(image, 1, 3).reshape(size // count, height, width, count * channels)


def unpack(packed: Array, count: int) -> Array:
    """[B / count, H, W, count * C] -> [B, H, W, C]: what `pack` made one, apart again."""
    if count == 1:
        return packed
    size, height, width, channels = packed.shape
    packed = packed.reshape(size, height, width, count, channels // count)
    return jnp.moveaxis(packed, 3, 1).reshape(size * count, height, width, channels // count)
