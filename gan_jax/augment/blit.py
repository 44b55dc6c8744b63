"""Pixel blitting: flips, quarter turns, whole-pixel shifts and cutouts.

All copy pixels without blending them, and act on [B, H, W, C] with one parameter per example.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

Array = jax.Array


def per_image(x: Array) -> Array:
    """[B] as [B, 1, 1, 1], to broadcast against images."""
    return x[:, None, None, None]


def flipped(image: Array, flip: Array) -> Array:
    """Images mirrored left to right where `flip`, bool [B]."""
    return jnp.where(per_image(flip), image[:, :, ::-1], image)


def turned(image: Array, turns: Array) -> Array:
    """`turns` quarter turns, int32 [B] in 0..3, counterclockwise as in `np.rot90`.

    A quarter turn takes an image that is no square to another shape, so there `turns` must be even.
    """
    image = jnp.where(per_image(turns >= 2), image[:, ::-1, ::-1], image)
    if image.shape[1] != image.shape[2]:
        return image
    quarter = image.swapaxes(1, 2)[:, ::-1]
    return jnp.where(per_image(turns % 2 == 1), quarter, image)


def shifted(image: Array, down: Array, right: Array, reach: tuple[int, int], padding: str) -> Array:
    """Moves images by whole pixels.

    Args:
        image: [B, H, W, C].
        down: int32 [B], rows; at most reach[0] either way.
        right: int32 [B], columns; at most reach[1] either way.
        reach: rows and columns of padding.
        padding: what comes in at the border, as `jnp.pad` calls it: "constant" (zeros) or "reflect".
    """
    rows, columns = reach
    padded = jnp.pad(image, ((0, 0), (rows, rows), (columns, columns), (0, 0)), mode=padding)

    def cut(one: Array, down: Array, right: Array) -> Array:
        return jax.lax.dynamic_slice(one, (rows - down, columns - right, 0), image.shape[1:])

    return jax.vmap(cut)(padded, down, right)


def without_rectangle(image: Array, top: Array, bottom: Array, left: Array, right: Array) -> Array:
    """Zero (mid-grey) in rows top..bottom-1 and columns left..right-1, each [B]; the rest as it is.

    The rectangle may reach beyond the image; where bottom <= top or right <= left there is none.
    """
    row, column = jnp.arange(image.shape[1]), jnp.arange(image.shape[2])
    rows = (row >= top[:, None]) & (row < bottom[:, None])
    columns = (column >= left[:, None]) & (column < right[:, None])
    return jnp.where((rows[:, :, None] & columns[:, None, :])[..., None], 0.0, image)
