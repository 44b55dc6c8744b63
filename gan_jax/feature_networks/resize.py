"""Image resizing as in the programs that published FIDs come from.

Which resizer is used moves an FID by more than many papers' gains (Parmar et al. 2022, arXiv:2104.11222), so
each is reproduced to the rounding of float32, and a score is named with its resizer. All are separable: an
image is multiplied by one matrix along its rows and by another along its columns.

    legacy      PyTorch's bilinear without antialiasing, half-pixel centres: pytorch-fid.
    legacy_tf   TensorFlow 1's bilinear without half-pixel centres: torch-fidelity, and the original FID code.
    clean       Pillow's bicubic (a = -1/2), widened when it reduces, in float, clipped to 0..255: clean-fid.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array

EXACT = jax.lax.Precision.HIGHEST


def resize(images: Array | np.ndarray, height: int, width: int, resizer: str) -> Array:
    """Images of another size. Pure; works under jit, where sizes and the resizer are static.

    Args:
        images: [B, H, W, C], uint8, or float in 0 to 255.
        height: of the result, at least 1.
        width: likewise.
        resizer: a key of RESIZERS.

    Returns:
        float32 [B, height, width, C] in 0 to 255; not rounded. Of the same size, the values as they are.

    Raises:
        ValueError: an unknown resizer, no batch of images, or an empty size.
    """
    if resizer not in RESIZERS:
        raise ValueError(f"resizer={resizer!r} is not one of {', '.join(RESIZERS)}")
    if images.ndim != 4 or min(images.shape[1:3]) < 1 or min(height, width) < 1:
        raise ValueError(f"cannot resize {images.shape} to {height} x {width}: give images [B, H, W, C]")
    images = jnp.asarray(images).astype(jnp.float32)
    matrix = RESIZERS[resizer]
    # Columns first, as Pillow and torch-fidelity do; a size that stays is left alone by all of them.
    if images.shape[2] != width:
        images = jnp.einsum("xw,bhwc->bhxc", matrix(images.shape[2], width), images, precision=EXACT)
    if images.shape[1] != height:
        images = jnp.einsum("yh,bhwc->bywc", matrix(images.shape[1], height), images, precision=EXACT)
    return jnp.clip(images, 0.0, 255.0) if resizer == "clean" else images


def _blend(positions: np.ndarray, size: int) -> np.ndarray:
    """float32 [len(positions), size]: each row blends the two neighbours of its position linearly."""
    low = np.minimum(positions.astype(np.int64), size - 1)
    high = np.minimum(low + 1, size - 1)
    share = positions - low.astype(np.float32)
    matrix = np.zeros((len(positions), size), np.float32)
    rows = np.arange(len(positions))
    np.add.at(matrix, (rows, low), np.float32(1.0) - share)
    np.add.at(matrix, (rows, high), share)
    return matrix


# In the two bilinear ones positions are reckoned in float32, as the originals do it: at position 200 that
# is off by 1e-5 pixels, which a sharp edge makes visible.
@lru_cache(maxsize=32)
def _legacy(size: int, wanted: int) -> np.ndarray:
    """float32 [wanted, size]: source = (target + 1/2) * size / wanted - 1/2, not below 0."""
    scale = np.float32(size) / np.float32(wanted)
    centres = np.arange(wanted, dtype=np.float32) + np.float32(0.5)
    return _blend(np.maximum(centres * scale - np.float32(0.5), np.float32(0.0)), size)


@lru_cache(maxsize=32)
def _legacy_tf(size: int, wanted: int) -> np.ndarray:
    """float32 [wanted, size]: source = target * size / wanted."""
    return _blend(np.arange(wanted, dtype=np.float32) * np.float32(size / wanted), size)


@lru_cache(maxsize=32)
def _clean(size: int, wanted: int) -> np.ndarray:
    """float32 [wanted, size]: Keys' cubic (1981, equation 4) around the centre, stretched by size / wanted
    where that is above 1; taps beyond the border are left out and the rest is made to sum to one."""
    scale = size / wanted
    stretch = max(scale, 1.0)
    centres = (np.arange(wanted) + 0.5) * scale
    # Pillow rounds the ends of the support to whole taps; beyond it the cubic is 0 anyway.
    first = np.maximum((centres - 2.0 * stretch + 0.5).astype(np.int64), 0)
    last = np.minimum((centres + 2.0 * stretch + 0.5).astype(np.int64), size)
    taps = np.arange(size)
    inside = (taps >= first[:, None]) & (taps < last[:, None])
    weights = np.where(inside, _cubic((taps + 0.5 - centres[:, None]) / stretch), 0.0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys' piecewise cubic with a = -1/2: 1 at 0, 0 at the other integers and beyond 2."""
    a, x = -0.5, np.abs(x)
    inner = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    outer = a * (((x - 5.0) * x + 8.0) * x - 4.0)
    return np.where(x < 1.0, inner, np.where(x < 2.0, outer, 0.0))


RESIZERS: dict[str, Callable[[int, int], np.ndarray]] = {
    "legacy": _legacy,
    "legacy_tf": _legacy_tf,
    "clean": _clean,
}
