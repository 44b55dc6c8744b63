"""Convolutions in the forms that XLA's CPU back end is fast at.

It has a fast kernel, and one that uses all cores, only for plain convolutions in one canonical form (NHWC,
HWIO, NHWC, no reversed window, no dilated input), and brings other forms into it only outside loops. What
autodiff makes of a strided convolution is none of that, so here
- to a single pixel all three are one product (`gan_jax.models.layers.conv_pixel`);
- where maps are small and channels and examples many, all three are products of Fourier transforms
  (`gan_jax.models.layers.conv_fourier`);
- the transposed convolution is a plain one for each phase of the stride (the sub-pixel form, Shi et al. 2016,
  arXiv:1609.07009): a dilated one costs a matrix product and a scatter on one core. To few channels it is one
  matrix product, and a sum of shifted maps;
- a large kernel between few channels and many makes blocks of pixels (`gan_jax.models.layers.conv_blocks`);
- the weight gradient exchanges batch and channels, and the output gradient is a dilated kernel; it is summed
  over parts of the batch where that kernel would leave the cache. That of a large kernel to few channels is
  one of a single column to more.

The numbers are those of the definitions in `gan_jax.models.layers.conv`, within rounding, and bitwise
repeatable. Where the number of examples is symbolic (`jax.export`) nothing depends on it: no transforms, and
no parts of the batch.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.models.layers import conv_blocks, conv_fourier, conv_pixel
from gan_jax.models.layers.geometry import LAYOUT, Geometry, Pair

Array = jax.Array

# Convolutions to fewer are slow.
FEW_CHANNELS = 8
# A larger kernel does not stay in a core's cache while the convolution uses it over and over.
KERNEL_BYTES = 2**20


@dataclass(frozen=True)
class Phase:
    """One dimension of a transposed convolution for the outputs number stride * q + r, for one r.

    These are a plain convolution of the input with every stride-th tap, last tap first.
    """

    taps: slice
    count: int  # of the taps
    padding: Pair  # of the input
    outputs: int


def phases(large: int, small: int, kernel: int, stride: int, low: int) -> list[Phase]:
    """The phases r = 0 ... stride - 1 of one dimension; each has ceil(large / stride) outputs."""
    found, outputs = [], -(-large // stride)
    for r in range(stride):
        taps = slice((r + low) % stride, None, stride)
        count = len(range(kernel)[taps])
        ahead = (r + low) // stride  # output q sees the inputs q + ahead - count + 1 ... q + ahead
        found.append(Phase(taps, count, (count - 1 - ahead, outputs + ahead - small), outputs))
    return found


def convolve(x: Array, w: Array, g: Geometry) -> Array:
    """x [B, *large, I], w [kh, kw, I, O] -> y [B, *small, O]."""
    if conv_pixel.is_one(g):
        return conv_pixel.convolve(x, w, g)
    if _by_fourier(x, g, *w.shape[2:]):
        return conv_fourier.convolve(x, w, g)
    if conv_blocks.is_faster(g, *w.shape[2:]):
        return conv_blocks.pixels(convolve(x, conv_blocks.kernel(w), conv_blocks.geometry(g)))
    if g.stride == (1, 1) and w.shape[3] < FEW_CHANNELS:
        rows, columns = (
            (k - 1 - low, k - 1 - high) for k, (low, high) in zip(g.kernel, g.padding, strict=True)
        )
        mirrored = Geometry(g.small, g.large, g.kernel, g.stride, (rows, columns))
        return transpose(x, lax.rev(w, (0, 1)).swapaxes(2, 3), mirrored)
    return lax.conv_general_dilated(x, w, g.stride, g.padding, dimension_numbers=LAYOUT)


def transpose(y: Array, w: Array, g: Geometry) -> Array:
    """y [B, *small, O], w [kh, kw, I, O] -> x [B, *large, I]."""
    if conv_pixel.is_one(g):
        return conv_pixel.transpose(y, w, g)
    if _by_fourier(y, g, *w.shape[2:]):
        return conv_fourier.transpose(y, w, g)
    if conv_blocks.is_faster(g, *w.shape[2:]):
        return transpose(conv_blocks.blocks(y), conv_blocks.kernel(w), conv_blocks.geometry(g))
    rows, columns = (
        phases(*sizes)
        for sizes in zip(g.large, g.small, g.kernel, g.stride, (low for low, _ in g.padding), strict=True)
    )
    w = w.swapaxes(2, 3)
    x = (_stamped if w.shape[3] < FEW_CHANNELS else _each)(y, w, rows, columns)
    return x.reshape(x.shape[0], x.shape[1] * x.shape[2], -1, x.shape[5])[:, : g.large[0], : g.large[1]]


def _each(y: Array, w: Array, rows: list[Phase], columns: list[Phase]) -> Array:
    """A convolution for each pair of phases -> [B, q, r, q, r, I] of rows and columns."""

    def convolve_phase(row: Phase, column: Phase) -> Array:
        if row.count * column.count == 0:  # a stride larger than the kernel
            return jnp.zeros((y.shape[0], row.outputs, column.outputs, w.shape[3]), y.dtype)
        padding = (row.padding, column.padding)
        return lax.conv_general_dilated(y, _taps(w, row, column), (1, 1), padding, dimension_numbers=LAYOUT)

    return jnp.stack([jnp.stack([convolve_phase(row, column) for column in columns], 3) for row in rows], 2)


def _stamped(y: Array, w: Array, rows: list[Phase], columns: list[Phase]) -> Array:
    """As `_each`, by one matrix product of pixels and taps, and a sum of shifted maps for each output."""
    sums = _of_sums(y)
    stamps = jnp.tensordot(y, w, ((3,), (2,)), preferred_element_type=sums)  # [B, *small, kh, kw, I]

    def shifted(a: Array, axis: int, phase: Phase, tap: int) -> Array:
        """The input under this tap of all outputs of a phase, zero where there is none."""
        before = phase.padding[0] - (phase.count - 1 - tap)
        pads = [(0, 0, 0)] * a.ndim
        pads[axis] = (before, phase.outputs - before - a.shape[axis], 0)
        return lax.pad(a, jnp.zeros((), a.dtype), pads)

    def convolve_phase(row: Phase, column: Phase) -> Array:
        total = jnp.zeros((y.shape[0], row.outputs, column.outputs, w.shape[3]), sums)
        for i, stamped in enumerate(jnp.moveaxis(stamps[:, :, :, row.taps], 3, 0)):
            under = shifted(stamped, 1, row, i)
            for j, values in enumerate(jnp.moveaxis(under[:, :, :, column.taps], 3, 0)):
                total += shifted(values, 2, column, j)
        return total.astype(y.dtype)

    return jnp.stack([jnp.stack([convolve_phase(row, column) for column in columns], 3) for row in rows], 2)


def _taps(w: Array, row: Phase, column: Phase) -> Array:
    """The taps of a pair of phases, last first."""
    return lax.rev(w[row.taps, column.taps], (0, 1))


def weights(x: Array, y: Array, g: Geometry) -> Array:
    """x [B, *large, I], y [B, *small, O] -> w [kh, kw, I, O]."""
    if conv_pixel.is_one(g):
        return conv_pixel.weights(x, y, g)
    if _by_fourier(x, g, x.shape[3], y.shape[3]):
        return conv_fourier.weights(x, y, g)
    large_kernel = g.stride == (1, 1) and g.kernel[1] >= conv_blocks.SMALLEST_KERNEL
    if large_kernel and y.shape[3] in conv_blocks.CHANNELS:
        return _by_columns(x, y, g)
    if conv_blocks.is_faster(g, x.shape[3], y.shape[3]):
        return conv_blocks.taps(weights(x, conv_blocks.blocks(y), conv_blocks.geometry(g)))
    parts, dtype = _parts(y), x.dtype
    if parts == 1:
        return _weights(x, y, g).astype(dtype)
    # Every parts-th example: a batch that is split over devices stays where it is.
    x, y = (a.reshape(-1, parts, *a.shape[1:]) for a in (x, y))

    def summand(part: Array | int) -> Array:
        chosen = [lax.dynamic_index_in_dim(a, part, 1, keepdims=False) for a in (x, y)]
        return _weights(chosen[0], chosen[1], g)

    return lax.fori_loop(1, parts, lambda part, total: total + summand(part), summand(0)).astype(dtype)


def _by_columns(x: Array, y: Array, g: Geometry) -> Array:
    """`weights` without stride, as of a kernel with one column to what each of its columns sees of y."""
    rows, (low, high) = g.padding
    columns, zero = g.kernel[1], jnp.zeros((), x.dtype)
    x = lax.pad(x, zero, [(0, 0, 0), (0, 0, 0), (low, high, 0), (0, 0, 0)])
    shifted = [
        lax.pad(y, zero, [(0, 0, 0), (0, 0, 0), (j, columns - 1 - j, 0), (0, 0, 0)]) for j in range(columns)
    ]
    wide = jnp.concatenate(shifted, axis=3)
    large, small = (g.large[0], x.shape[2]), (g.small[0], x.shape[2])
    w = weights(x, wide, Geometry(large, small, (g.kernel[0], 1), (1, 1), (rows, (0, 0))))
    return w.reshape(g.kernel[0], x.shape[3], columns, y.shape[3]).swapaxes(1, 2)


# How many devices the compiler splits each batch over, while a step is traced.
_DEVICES: ContextVar[int] = ContextVar("devices that split a batch", default=1)


@contextlib.contextmanager
def batch_split_over(devices: int) -> Iterator[None]:
    """Context for tracing with batches that the compiler splits over so many devices."""
    token = _DEVICES.set(devices)
    try:
        yield
    finally:
        _DEVICES.reset(token)


def split_over() -> int:
    """How many devices the compiler splits each batch over, in the program that is traced."""
    return _DEVICES.get()


def _by_fourier(a: Array, g: Geometry, inputs: int, outputs: int) -> bool:
    """Whether transforms are faster, for images a [B, ...] on either side."""
    examples = a.shape[0]
    if a.dtype != jnp.float32 or not isinstance(examples, int):
        return False
    return conv_fourier.is_faster(g, -(-examples // _DEVICES.get()), inputs, outputs)


def _parts(y: Array) -> int:
    """The number of parts of the batch, so that the operand that acts as the kernel stays in the cache.

    They divide each device's share, so that no part needs rows of another device.
    """
    if not isinstance(y.shape[0], int):
        return 1
    devices = math.gcd(_DEVICES.get(), y.shape[0])
    share, size = y.shape[0] // devices, y.size * y.dtype.itemsize // devices
    fitting = (n for n in range(1, share + 1) if share % n == 0 and size <= n * KERNEL_BYTES)
    return next(fitting, share)


def _of_sums(a: Array) -> jnp.dtype:
    """What sums of products are made in: bfloat16 numbers would be rounded at every term."""
    return jnp.promote_types(a.dtype, jnp.float32)


def _weights(x: Array, y: Array, g: Geometry) -> Array:
    """The weight gradient of one part, in the precision of its sums."""
    pads = [
        (low, (m - 1) * s + k - n - low)
        for n, m, k, s, (low, _) in zip(g.large, g.small, g.kernel, g.stride, g.padding, strict=True)
    ]
    x, y = lax.optimization_barrier((x, y))
    w = lax.conv_general_dilated(
        x.transpose(3, 1, 2, 0),
        y.transpose(1, 2, 0, 3),
        (1, 1),
        pads,
        rhs_dilation=g.stride,
        dimension_numbers=LAYOUT,
        preferred_element_type=_of_sums(x),
    )
    return w.transpose(1, 2, 0, 3)
