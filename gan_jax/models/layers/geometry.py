"""The shapes of a strided convolution."""

from __future__ import annotations

from typing import NamedTuple

from jax import lax

Pair = tuple[int, int]
Padding = str | tuple[Pair, Pair]

LAYOUT = ("NHWC", "HWIO", "NHWC")


class Geometry(NamedTuple):
    """The static part of a convolution; `small` is the side behind the stride."""

    large: Pair  # height, width of x
    small: Pair  # height, width of y
    kernel: Pair
    stride: Pair
    padding: tuple[Pair, Pair]


def geometry(large: Pair, kernel: Pair, stride: Pair, padding: Padding) -> Geometry:
    """Geometry of the convolution that maps images of `large` (height, width) to smaller ones."""
    if isinstance(padding, str):
        rows, columns = lax.padtype_to_pads(large, kernel, stride, padding)
    else:
        rows, columns = padding
    height = (large[0] + sum(rows) - kernel[0]) // stride[0] + 1
    width = (large[1] + sum(columns) - kernel[1]) // stride[1] + 1
    return Geometry(large, (height, width), kernel, stride, ((rows[0], rows[1]), (columns[0], columns[1])))
