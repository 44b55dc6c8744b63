"""Minibatch discrimination and minibatch standard deviation, against mode collapse.

Both look at the global batch and give the same numbers however it is split over devices.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.core.collectives import gather_batch, own_rows
from gan_jax.utils.checks import check_count

Array = jax.Array


def _closeness(own: Array, others: Array, same: Array) -> Array:
    """sum over j of exp(-|own_i - others_j|_1), [b, kernels].

    One of `dims` at a time: all at once are [b, B, kernels, dims] numbers, twice the memory of this in
    the gradient and on the CPU twice the time.

    Args:
        own: [b, kernels, dims].
        others: [B, kernels, dims].
        same: bool [b, B], the pairs to leave out.
    """
    distance = jnp.zeros((own.shape[0], *others.shape[:2]), own.dtype)
    for c in range(own.shape[2]):
        distance = distance + jnp.abs(own[:, None, :, c] - others[None, :, :, c])
    return jnp.sum(jnp.where(same[:, :, None], 0.0, jnp.exp(-distance)), axis=1)


class MinibatchDiscrimination(nn.Module):
    """Features [B, A] -> [B, A + kernels], with each example's closeness to the rest of the batch.

    Salimans et al. 2016, arXiv:1606.03498, section 3.2. M = x T with T [A, kernels, dims], and

        o(x_i)_b = sum over j != i of exp(-|M_ib - M_jb|_1).

    As in the official code an example is not compared with itself (the paper's sum has j = i, a
    constant 1 more). That code also has weight normalisation, a bias and a start that depends on
    data; the paper and this have none of them. Instead T starts normal with deviation
    1 / (dims sqrt(A)): two unlike examples with features of variance 1 are then at a distance of about
    1.1, where the exponential still has a gradient.

    Attributes:
        kernels: the paper's B.
        dims: the paper's C.
        axis_name: the mapped axis that splits the batch, None under jit.
    """

    kernels: int = 100
    dims: int = 5
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        check_count(self.kernels, "kernels")
        check_count(self.dims, "dims")
        if x.ndim != 2:
            raise ValueError(f"minibatch discrimination takes features [B, A], not {x.shape}: flatten first")
        axis_name = None if self.is_initializing() else self.axis_name
        init = nn.initializers.normal(1 / (self.dims * x.shape[-1] ** 0.5))
        kernel = self.param("kernel", init, (x.shape[-1], self.kernels, self.dims))
        own = jnp.tensordot(x, kernel, 1)
        others = gather_batch(own, axis_name)
        same = own_rows(jnp.eye(others.shape[0], dtype=bool), x.shape[0], axis_name)
        return jnp.concatenate([x, _closeness(own, others, same)], axis=-1)


class MinibatchStddev(nn.Module):
    """Images [B, H, W, C] -> [B, H, W, C + 1] (or [B, F] -> [B, F + 1]): how much a group varies.

    Karras et al. 2018, arXiv:1710.10196, section 3: the standard deviation (epsilon 1e-8 in the square
    root) of every value over a group of examples, its mean over all values, the same number at
    every position of one more map. The group of example i of the global batch is i // group_size:
    neighbours, so that a device that holds whole groups needs nothing from others; or i % (B / group_size)
    where groups are strided, as in the official code of ProGAN and StyleGAN (which on many devices has
    groups within each device). In a random batch both are the same.

    Attributes:
        group_size: examples per group; a smaller batch is one group, as in the official code.
        axis_name: the mapped axis that splits the batch, None under jit.
        strided: whether a group is every (B / group_size)-th example, not neighbours.
    """

    group_size: int = 4
    axis_name: str | None = None
    strided: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        check_count(self.group_size, "group_size")
        axis_name = None if self.is_initializing() else self.axis_name
        count = x.shape[0]
        batch = count * (jax.lax.axis_size(axis_name) if axis_name else 1)
        size = min(self.group_size, batch) if isinstance(batch, int) else self.group_size
        if batch % size != 0:
            raise ValueError(
                f"group_size={size} does not divide the batch of {batch}: choose one that does"
                + ("" if isinstance(batch, int) else f", or export for a batch of '{size}*n'")
            )
        if not self.strided and count % size == 0:
            axis_name = None  # whole groups are here
        every = gather_batch(x, axis_name)
        grouped = (size, -1) if self.strided else (-1, size)
        members = 0 if self.strided else 1
        deviation = jnp.sqrt(jnp.var(every.reshape(*grouped, *x.shape[1:]), axis=members) + 1e-8)
        mean = jnp.mean(deviation, axis=tuple(range(1, x.ndim)))
        value = jnp.tile(mean, size) if self.strided else jnp.repeat(mean, size)
        own = own_rows(value, count, axis_name).reshape(-1, *[1] * (x.ndim - 1))
        return jnp.concatenate([x, jnp.broadcast_to(own, (*x.shape[:-1], 1))], axis=-1)
