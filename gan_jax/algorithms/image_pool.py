"""A pool of earlier fakes, so that the discriminator does not forget what the generator made before.

Shrivastava et al. 2017, arXiv:1612.07828, section 2.3; as CycleGAN uses it (arXiv:1703.10593, section 4):
each fake is shown with probability 1/2 as it is, and else kept in the pool in place of an older one, which
is shown instead.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from gan_jax.core.collectives import gather_batch, own_rows
from gan_jax.utils.tree import PyTree

Array = jax.Array


def empty_pool(size: int, image_shape: tuple[int, ...]) -> PyTree:
    """A pool of `size` images that holds none yet."""
    return {"image": jnp.zeros((size, *image_shape)), "count": jnp.zeros((), jnp.int32)}


def check_pool(size: int, batch_size: int) -> None:
    """Raises a ValueError unless the global batch fills the pool in whole batches."""
    if size % batch_size:
        wanted = max(1, round(size / batch_size)) * batch_size
        raise ValueError(f"pool_size={size}: it must be a multiple of the batch, {batch_size}; try {wanted}")


def exchange(pool: PyTree, image: Array, key: Array, axis_name: str | None) -> tuple[Array, PyTree]:
    """What the discriminator is shown instead of these fakes, and the pool afterwards.

    Until the pool is full all fakes are put into it and shown as they are.

    Args:
        pool: from `empty_pool`; the same on all devices.
        image: fakes [B, H, W, C] on this device.
        key: [], the same on all devices.
        axis_name: the mapped axis that splits the batch.
    """
    fresh = gather_batch(image, axis_name)
    size, count = pool["image"].shape[0], fresh.shape[0]
    check_pool(size, count)
    slot_key, swap_key = jax.random.split(key)
    full = pool["count"] >= size
    drawn = jax.random.permutation(slot_key, size)[:count]
    slots = jnp.where(full, drawn, (pool["count"] + jnp.arange(count)) % size)
    swapped = jax.random.bernoulli(swap_key, 0.5, (count, 1, 1, 1))
    old = pool["image"][slots]
    shown = jnp.where(full & swapped, old, fresh)
    kept = jnp.where(full & ~swapped, old, fresh)
    pool = {
        "image": pool["image"].at[slots].set(kept),
        "count": jnp.minimum(pool["count"] + count, size),
    }
    return own_rows(shown, image.shape[0], axis_name), pool
