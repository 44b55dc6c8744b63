"""Resampling through a short low-pass filter, alone and together with a convolution.

Nearest neighbours and means of 2x2 pixels alias; a filter of a few taps along each axis does so less (Zhang
2019, arXiv:1904.11486). StyleGAN has (1, 2, 1) beside its nearest neighbours (Karras et al. 2019,
arXiv:1812.04948, section 2), StyleGAN2 and R3GAN (1, 3, 3, 1) in their place (Karras et al. 2020,
arXiv:1912.04958, appendix B). Sizes, paddings and gains are those of `upfirdn2d` and `conv2d_resample` in
github.com/NVlabs/stylegan2-ada-pytorch.

A filter is slices, scaled and summed, along one axis and then the other: XLA makes one loop of that, where a
depthwise convolution is one of its CPU back end's slowest programs. Sums are float32, rounded once.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.models.layers import conv
from gan_jax.models.layers.geometry import Pair
from gan_jax.models.layers.precision import at_least_float32

Array = jax.Array
Taps = tuple[float, ...]


def fir(x: Array, taps: Taps, pad: Pair | None = None, gain: float = 1.0) -> Array:
    """[B, H, W, C] filtered along height and width, with zeros around the image.

    Args:
        taps: y[i] = sum over k of taps[k] * x[i + k - pad[0]] * gain / sum(taps).
        pad: rows and columns of zeros before and after; None for as many as keep the size.
        gain: per axis.
    """
    before, after = (len(taps) // 2, (len(taps) - 1) // 2) if pad is None else pad
    scaled = _scaled(taps, gain)
    return _along_both(x, lambda x, axis: _filtered(_padded(x, axis, before, after), axis, scaled, 1))


def fir_down(x: Array, taps: Taps) -> Array:
    """[B, 2h, 2w, C] -> [B, h, w, C]: the filter, then every second pixel.

    Raises:
        ValueError: an odd side.
    """
    _check_even(x)
    before, after = (len(taps) - 1) // 2, (len(taps) - 2) // 2
    scaled = _scaled(taps, 1.0)
    return _along_both(x, lambda x, axis: _filtered(_padded(x, axis, before, after), axis, scaled, 2))


def fir_up(x: Array, taps: Taps) -> Array:
    """[B, h, w, C] -> [B, 2h, 2w, C]: a zero behind each pixel, then the filter with a gain of 2 per axis."""
    before, scaled = (len(taps) + 1) // 2, _scaled(taps, 2.0)

    def up(x: Array, axis: int) -> Array:
        # Of the outputs 2j + r every second tap sees a pixel, the first of them pixel j - ahead.
        count, every = x.shape[axis], []
        for r in range(2):
            first = (before - r) % 2
            ahead, seen = (before - r - first) // 2, scaled[first::2]
            every.append(_filtered(_padded(x, axis, ahead, len(seen) - 1 - ahead), axis, seen, 1))
        return jnp.stack(every, axis + 1).reshape(*x.shape[:axis], 2 * count, *x.shape[axis + 1 :])

    return _along_both(x, up)


def convolve_fir_up(x: Array, w: Array, taps: Taps) -> Array:
    """The transposed convolution with stride 2 and then the filter, gain 2 per axis.

    But at the edges it is the convolution of fir_up(x) with the mirrored kernel, for a quarter of the
    products: it works at the low resolution.

    Args:
        x: [B, h, w, I].
        w: [k, k, I, O]; each pixel of x stamps it.

    Returns:
        [B, 2h, 2w, O].
    """
    size, count = w.shape[0], len(taps)
    if size == 1:
        return fir_up(_plain(x, w), taps)
    large = 2 * (x.shape[1] - 1) + size, 2 * (x.shape[2] - 1) + size
    mirror = conv.geometry(large, (size, size), (2, 2), "VALID")
    stamped = conv.convolve_transpose(x, w.swapaxes(2, 3), mirror)
    before = size // 2 + (count + 1) // 2 - (size - 1)
    after = size // 2 + (count - 2) // 2 - (size - 2)
    return fir(stamped, taps, (before, after), gain=2.0)


def convolve_fir_down(x: Array, w: Array, taps: Taps) -> Array:
    """The filter and then the convolution with stride 2.

    Args:
        x: [B, 2h, 2w, I].
        w: [k, k, I, O].

    Returns:
        [B, h, w, O].

    Raises:
        ValueError: an odd side.
    """
    size, count = w.shape[0], len(taps)
    if size == 1:
        return _plain(fir_down(x, taps), w)
    _check_even(x)
    before, after = size // 2 + (count - 1) // 2, size // 2 + (count - 2) // 2
    x = fir(x, taps, (before, after))
    return conv.convolve(x, w, conv.geometry((x.shape[1], x.shape[2]), (size, size), (2, 2), "VALID"))


def check_taps(taps: object) -> None:
    """The filter of a network: a tuple of at least two numbers whose sum is not 0."""
    numbers = isinstance(taps, tuple) and all(isinstance(tap, int | float) for tap in taps)
    if not isinstance(taps, tuple) or not numbers or len(taps) < 2 or not sum(taps):
        raise ValueError(f"taps={taps!r}: it must be a tuple of two numbers or more, such as (1, 3, 3, 1)")


def _scaled(taps: Taps, gain: float) -> list[float]:
    check_taps(taps)
    return [gain * tap / sum(taps) for tap in taps]


def _along_both(x: Array, along: Callable[[Array, int], Array]) -> Array:
    """Along height and then width, in float32."""
    return along(along(at_least_float32(x), 1), 2).astype(x.dtype)


def _padded(x: Array, axis: int, before: int, after: int) -> Array:
    """With zeros along one axis; negative numbers crop."""
    pads = [(0, 0, 0)] * x.ndim
    pads[axis] = (before, after, 0)
    return lax.pad(x, jnp.zeros((), x.dtype), pads)


def _filtered(x: Array, axis: int, taps: list[float], stride: int) -> Array:
    """Sums of shifted slices, as many as all taps see pixels of."""
    reach = (x.shape[axis] - len(taps)) // stride * stride + 1
    slices = (lax.slice_in_dim(x, k, k + reach, stride, axis) * tap for k, tap in enumerate(taps))
    return sum(slices, jnp.zeros((), x.dtype))


def _plain(x: Array, w: Array) -> Array:
    """The convolution with a 1x1 kernel."""
    return conv.convolve(x, w, conv.geometry((x.shape[1], x.shape[2]), (1, 1), (1, 1), "VALID"))


def _check_even(x: Array) -> None:
    if x.shape[1] % 2 or x.shape[2] % 2:
        raise ValueError(f"a filter halves maps with even sides, not {x.shape[1]}x{x.shape[2]}")
