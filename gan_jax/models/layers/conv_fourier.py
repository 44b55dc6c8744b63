"""Convolutions of small maps as products of their discrete Fourier transforms, for the CPU.

Mathieu, Henaff, LeCun 2013, "Fast training of convolutional networks through FFTs", arXiv:1312.5851.

A strided convolution is a plain one of the input's phases: with x_r[q] = x[stride * q + r] it is

    y[o] = sum over r, a of x_r[o + a] w_r[a],

where the channels of all phases are summed like others. In as many frequencies as keep all q and o + a apart,
a sum over q = o + a is one product for each; they are products of complex numbers, and such a one is three of
real numbers (Gauss). So there are three matrices with

    sum over p of signal[p, q] taps[p, a] image[p, o] = 1 if q = o + a, otherwise 0

and the three bilinear maps of `gan_jax.models.layers.conv` are products of matrices: of the transforms, and
for each p one over the channels. A 5x5 kernel with stride 2 on a map of 14x14 takes 376 products for each
pair of channels, where the definition takes 1,024. The transforms are orthogonal, unlike those of Winograd's
forms of such a size: the error is that of float32's sums.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.models.layers.geometry import Geometry, Pair

Array = jax.Array


# Of larger maps the transforms cost more than the products they save.
MOST_FREQUENCIES = 10
# What it takes to write and read an element of a transform, in multiplications.
ELEMENT = 40
# So many multiplications of its matrices take as long as one of the definition, in whole train steps.
WORTH = 1.7


class Dimension(NamedTuple):
    """One dimension of a convolution in phases of the stride."""

    blocks: int  # q = 0 ... blocks - 1
    outputs: int  # o = 0 ... outputs - 1
    first: int  # a = first ... first + taps - 1
    taps: int
    before: int  # of the kernel's own taps: as many zeros before them make all phases' taps


def dimension(large: int, small: int, kernel: int, stride: int, low: int) -> Dimension:
    """How the taps t = 0 ... kernel - 1 lie in blocks of the stride: t - low = stride * a + r."""
    first, last = -low // stride, (kernel - 1 - low) // stride
    return Dimension(-(-large // stride), small, first, last - first + 1, -low - stride * first)


def dimensions(g: Geometry) -> tuple[Dimension, Dimension]:
    """The rows and the columns of a geometry."""
    rows, columns = (
        dimension(large, small, kernel, stride, low)
        for large, small, kernel, stride, (low, _) in zip(*g, strict=True)
    )
    return rows, columns


def frequencies(d: Dimension) -> int:
    """The fewest frequencies that keep all blocks q and o + a apart."""
    return max(d.outputs + d.first + d.taps - 1, d.blocks - d.first)


class Transforms(NamedTuple):
    """The three matrices; P products, and rows and columns in one index."""

    signal: np.ndarray  # [P, blocks]
    taps: np.ndarray  # [P, taps]
    image: np.ndarray  # [P, outputs]


@functools.cache
def transforms(rows: Dimension, columns: Dimension) -> Transforms:
    """The matrices of two dimensions, float64."""
    sizes = frequencies(rows), frequencies(columns)

    def angles(starts: Pair, counts: Pair) -> np.ndarray:
        """2 pi (k l) for all frequencies k and positions l -> [sizes[0], sizes[1], counts[0] * counts[1]]."""
        first, second = (
            np.outer(np.arange(n), np.arange(start, start + count)) / n
            for n, start, count in zip(sizes, starts, counts, strict=True)
        )
        both = first[:, None, :, None] + second[None, :, None, :]
        return 2 * np.pi * both.reshape(*sizes, -1)

    x = np.exp(-1j * angles((0, 0), (rows.blocks, columns.blocks)))
    w = np.exp(1j * angles((rows.first, columns.first), (rows.taps, columns.taps)))
    y = np.exp(-1j * angles((0, 0), (rows.outputs, columns.outputs))) / math.prod(sizes)
    found: tuple[list[np.ndarray], ...] = ([], [], [])
    for k in np.ndindex(*sizes):
        mirrored = tuple(-i % n for i, n in zip(k, sizes, strict=True))
        if k < mirrored:  # a pair of conjugate frequencies, and Re(x w conj(y)) of each
            a, b, c, d = x[k].real, x[k].imag, w[k].real, w[k].imag
            real, imaginary = 2 * y[k].real, 2 * y[k].imag
            # x w = (k_0 - k_2) + i (k_0 + k_1) with k_0 = (a + b) c, k_1 = a (d - c), k_2 = b (c + d).
            found[0].extend((a + b, a, b))
            found[1].extend((c, d - c, c + d))
            found[2].extend((real + imaginary, imaginary, -real))
        elif k == mirrored:
            for matrix, values in zip(found, (x[k], w[k], y[k]), strict=True):
                matrix.append(values.real)
    return Transforms(*(np.stack(matrix) for matrix in found))


class Form(NamedTuple):
    """A geometry's dimensions and transform matrices."""

    rows: Dimension
    columns: Dimension
    matrices: Transforms


def form(g: Geometry) -> Form:
    """The form of a geometry."""
    rows, columns = dimensions(g)
    return Form(rows, columns, transforms(rows, columns))


def is_faster(g: Geometry, examples: int, inputs: int, outputs: int) -> bool:
    """Whether transforms are faster than the definition; from timings on two x86 cores with AVX-512.

    Args:
        examples: on each device.
        inputs: channels of x.
        outputs: channels of y.
    """
    rows, columns = dimensions(g)
    sizes = frequencies(rows), frequencies(columns)
    if max(sizes) > MOST_FREQUENCIES:
        return False
    products, inputs_of_phases = 3 * math.prod(sizes) / 2, inputs * math.prod(g.stride)
    x, w, y = examples * inputs_of_phases, inputs_of_phases * outputs, examples * outputs  # for each product
    transformed = products * (
        examples * w
        + rows.blocks * columns.blocks * x
        + rows.taps * columns.taps * w
        + rows.outputs * columns.outputs * y
        + ELEMENT * (x + w + y)
    )
    defined = examples * inputs * outputs
    for large, small, kernel, stride, (low, _) in zip(*g, strict=True):
        defined *= sum(0 <= stride * o + t - low < large for o in range(small) for t in range(kernel))
    return transformed < WORTH * defined


def convolve(x: Array, w: Array, g: Geometry) -> Array:
    """x [B, *large, I], w [kh, kw, I, O] -> y [B, *small, O]."""
    f = form(g)
    products = _signal(x, g, f) @ _apply(f.matrices.taps, _phases_of_taps(w, g, f))
    return _apply(f.matrices.image.T, products).reshape(*g.small, *products.shape[1:]).transpose(2, 0, 1, 3)


def transpose(y: Array, w: Array, g: Geometry) -> Array:
    """y [B, *small, O], w [kh, kw, I, O] -> x [B, *large, I]."""
    f = form(g)
    taps = _phases_of_taps(w, g, f).swapaxes(1, 2)
    products = _apply(f.matrices.image, _positions(y)) @ _apply(f.matrices.taps, taps)
    x = _apply(f.matrices.signal.T, products)
    x = x.reshape(f.rows.blocks, f.columns.blocks, y.shape[0], *g.stride, w.shape[2])
    x = x.transpose(2, 0, 3, 1, 4, 5)
    x = x.reshape(x.shape[0], x.shape[1] * x.shape[2], -1, x.shape[5])
    return x[:, : g.large[0], : g.large[1]]


def weights(x: Array, y: Array, g: Geometry) -> Array:
    """x [B, *large, I], y [B, *small, O] -> w [kh, kw, I, O]."""
    f = form(g)
    products = _apply(f.matrices.image, _positions(y).swapaxes(1, 2)) @ _signal(x, g, f)
    w = _apply(f.matrices.taps.T, products)
    w = w.reshape(f.rows.taps, f.columns.taps, y.shape[3], *g.stride, x.shape[3]).transpose(0, 3, 1, 4, 5, 2)
    w = w.reshape(w.shape[0] * w.shape[1], -1, *w.shape[4:])
    return w[f.rows.before : f.rows.before + g.kernel[0], f.columns.before : f.columns.before + g.kernel[1]]


def _signal(x: Array, g: Geometry, f: Form) -> Array:
    """x [B, *large, I] -> its transform [P, B, phases * I]."""
    around = [(0, d.blocks * s - n) for d, s, n in zip((f.rows, f.columns), g.stride, g.large, strict=True)]
    x = jnp.pad(jax.lax.optimization_barrier(x), ((0, 0), *around, (0, 0)))
    x = x.reshape(x.shape[0], f.rows.blocks, g.stride[0], f.columns.blocks, g.stride[1], x.shape[3])
    x = jax.lax.optimization_barrier(x.transpose(1, 3, 0, 2, 4, 5))
    return _apply(f.matrices.signal, x.reshape(x.shape[0] * x.shape[1], x.shape[2], -1))


def _phases_of_taps(w: Array, g: Geometry, f: Form) -> Array:
    """w [kh, kw, I, O] -> [taps, phases * I, O]."""
    around = [
        (d.before, d.taps * s - k - d.before)
        for d, s, k in zip((f.rows, f.columns), g.stride, g.kernel, strict=True)
    ]
    w = jnp.pad(w, (*around, (0, 0), (0, 0)))
    w = w.reshape(f.rows.taps, g.stride[0], f.columns.taps, g.stride[1], *w.shape[2:])
    w = w.transpose(0, 2, 1, 3, 4, 5)
    return w.reshape(w.shape[0] * w.shape[1], -1, w.shape[5])


def _positions(y: Array) -> Array:
    """y [B, height, width, O] -> [height * width, B, O]."""
    return jax.lax.optimization_barrier(jax.lax.optimization_barrier(y).transpose(1, 2, 0, 3)).reshape(
        -1, y.shape[0], y.shape[3]
    )


def _apply(matrix: np.ndarray, a: Array) -> Array:
    """matrix [P, Q], a [Q, ...] -> [P, ...]."""
    return jnp.tensordot(matrix.astype(a.dtype), a, 1)
