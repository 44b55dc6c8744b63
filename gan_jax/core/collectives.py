"""The whole batch on every device, for what looks at several examples at once.

A device's gradient through the gathered batch is that of the sum of all devices' losses. Where every
device computes one and the same loss of the gathered values, the mean of the devices' gradients is
therefore the gradient of that loss, and it is the mean that `Algorithm` takes.
"""

from __future__ import annotations

import jax

Array = jax.Array


def gather_batch(x: Array, axis_name: str | None) -> Array:
    """The rows of all devices, in the order of the global batch.

    Args:
        x: [b, ...], the rows on this device.
        axis_name: the mapped axis that splits the batch, None where `x` is the global batch already.

    Returns:
        [B, ...], the same on every device; `x` itself without an axis.
    """
    return jax.lax.all_gather(x, axis_name, tiled=True) if axis_name else x


def own_rows(x: Array, count: int, axis_name: str | None) -> Array:
    """The rows of this device, [count, ...] of [B, ...]: undoes `gather_batch`.

    Raises:
        ValueError: `count` is not this device's share of the rows.
    """
    devices = jax.lax.axis_size(axis_name) if axis_name else 1
    if count * devices != x.shape[0]:
        raise ValueError(
            f"{x.shape[0]} rows over {devices} devices are not {count} on each: give the local batch size"
        )
    return jax.lax.dynamic_slice_in_dim(x, jax.lax.axis_index(axis_name) * count, count) if axis_name else x
