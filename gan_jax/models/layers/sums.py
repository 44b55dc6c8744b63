"""Sums per channel over batches of maps, on a GPU in one kernel each.

XLA:GPU takes a sum over more than 4096 rows in two kernels, and one over fewer than 32 within the kernel that
reads it. So the rows are added up to fewer than 32 first, and what reads the sum adds up those.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.core import launches
from gan_jax.models.layers.conv_cpu import split_over

Array = jax.Array
Readers = Literal["channels", "maps"]

ONE_KERNEL = 4096  # rows
FEW = 32  # rows: fewer are added up by the reader
MOST = 2048  # rows that each of these few is the sum of


def parts(shape: tuple[int, ...], readers: Readers = "channels") -> int:
    """To how many rows an array [..., C] is added up first; 1 where it is added up at once.

    Args:
        readers: what the sum is read by. More parts make a fast sum, but where maps are computed of it, each
            of their numbers adds up the parts anew.
    """
    rows = math.prod(shape[:-1])
    # Over several devices the rows are split already, and may be so in another way.
    if not launches.are_costly("gpu") or split_over() > 1 or rows <= ONE_KERNEL:
        return 1

    def fits(count: int) -> bool:
        # Of one channel XLA:GPU has a kernel where the number is a power of two.
        return rows % count == 0 and rows // count <= MOST and (shape[-1] > 1 or FEW % count != 0)

    choices = range(2, FEW) if readers == "maps" else range(FEW - 1, 1, -1)
    return next(filter(fits, choices), 1)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def channel_sums(count: int, *arrays: Array) -> tuple[Array, ...]:
    """The sums of arrays [..., C], all of one shape, over all but the channels; in `count` parts first."""
    shape = arrays[0].shape
    if count == 1:
        return _added(arrays, tuple(range(len(shape) - 1)))
    rows = [x.reshape(count, -1, shape[-1]) for x in arrays]
    # The barrier keeps XLA from making one sum of the two.
    return tuple(jnp.sum(x, 0) for x in lax.optimization_barrier(_added(rows, (1,))))


def _added(arrays: Sequence[Array], axes: tuple[int, ...]) -> tuple[Array, ...]:
    """Sums that are read together in one reduction; over several devices XLA would gather what it reads."""
    if len(arrays) == 1 or split_over() > 1:
        return tuple(jnp.sum(x, axes) for x in arrays)
    zeros = tuple(jnp.zeros((), x.dtype) for x in arrays)
    add = lambda a, b: tuple(x + y for x, y in zip(a, b, strict=True))
    return tuple(lax.reduce(tuple(arrays), zeros, add, axes))


def _forward(count: int, *arrays: Array) -> tuple[tuple[Array, ...], tuple[int, ...]]:
    return channel_sums(count, *arrays), arrays[0].shape


def _backward(count: int, shape: tuple[int, ...], sums: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(jnp.broadcast_to(x, shape) for x in sums)


channel_sums.defvjp(_forward, _backward)
