"""Sub-pixel upsampling: a convolution to more channels, which are then laid out as pixels.

Shi et al. 2016, "Real-time single image and video super-resolution using an efficient sub-pixel convolutional
neural network", arXiv:1609.05158. Started at random, the f * f convolutions that make a block of pixels
differ, and the picture has a checkerboard; ICNR (Aitken et al. 2017, "Checkerboard artifact free sub-pixel
convolution", arXiv:1707.02937) starts them equal, so that the first pictures are those of nearest
upsampling.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from gan_jax.models.layers.layers import Initializer

Array = jax.Array


def pixel_shuffle(x: Array, factor: int) -> Array:
    """Channels as blocks of factor x factor pixels: [B, h, w, f * f * C] -> [B, f * h, f * w, C].

    Channel (i * f + j) * C + c is channel c of the pixel in row i and column j of a block. (PyTorch's
    `PixelShuffle` has c * f * f + i * f + j there; this order moves whole pixels.)

    Raises:
        ValueError: channels that make no whole blocks.
    """
    count, height, width, channels = x.shape
    if channels % factor**2:
        raise ValueError(f"pixel_shuffle by {factor}: {channels} channels make no blocks of {factor**2}")
    blocks = x.reshape(count, height, width, factor, factor, channels // factor**2)
    return blocks.transpose(0, 1, 3, 2, 4, 5).reshape(count, height * factor, width * factor, -1)


def icnr(init: Initializer, factor: int) -> Initializer:
    """Kernels [k, k, in, f * f * C] for `pixel_shuffle`: one of C channels by `init`, f * f times."""

    def draw(key: Array, shape: tuple[int, ...], *rest: object) -> Array:
        if shape[-1] % factor**2:
            raise ValueError(f"icnr by {factor}: {shape[-1]} channels make no blocks of {factor**2}")
        part = init(key, (*shape[:-1], shape[-1] // factor**2), *rest)
        return jnp.concatenate([part] * factor**2, axis=-1)

    return draw
