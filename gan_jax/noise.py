"""Random numbers that do not depend on how the batch is laid out.

Everything random is drawn per example from `fold_in(key, index of the example in the global batch)`,
so one device, eight, `pmap` and vmapped seeds draw the same numbers.
"""

from __future__ import annotations

from typing import Literal, get_args

import jax
import jax.numpy as jnp

Array = jax.Array
Latent = Literal["normal", "uniform"]
LATENTS: tuple[Latent, ...] = get_args(Latent)

# Steps fold 0, 1, 2, ... into the run's key, and updates theirs into the step's; what else is drawn
# folds in a number that those never reach.
INIT = 0xFFFF_FFFF  # into the run's key: initial parameters
PICTURES = 0xFFFF_FFFE  # into the run's key: the latents of the pictures drawn while training
INPUT = 0xFFFF_FFFD  # into the step's key: random flips of the reals


def example_keys(key: Array, count: int, axis: str | None = None) -> Array:
    """Keys [count] of the examples on this device.

    Args:
        key: typed key [].
        count: examples on this device.
        axis: the mapped axis that splits the batch, None where `count` is the global batch.
    """
    first = jax.lax.axis_index(axis) * count if axis else 0
    return jax.vmap(lambda index: jax.random.fold_in(key, index))(first + jnp.arange(count))


def latents(keys: Array, size: int, distribution: Latent = "normal") -> Array:
    """Latent vectors float32 [len(keys), size]: standard normal, or uniform on [-1, 1)."""
    if distribution == "normal":
        return jax.vmap(lambda key: jax.random.normal(key, (size,)))(keys)
    return jax.vmap(lambda key: jax.random.uniform(key, (size,), minval=-1.0))(keys)


def drop_threshold(rate: float) -> int:
    """The random bytes below this number drop: `rate` in 256ths, rounded.

    Raises:
        ValueError: a rate that is negative, or would drop everything.
    """
    if not (rate >= 0.0 and round(rate * 256) <= 255):
        raise ValueError(f"dropout rate {rate}: it must be at least 0 and below 255.5/256 = 0.998")
    return round(rate * 256)


def keep_mask(keys: Array, shape: tuple[int, ...], rate: float) -> tuple[Array, float]:
    """A dropout mask per example, and the share that it really keeps.

    One random byte an element: a quarter of the work of `jax.random.bernoulli`, for a rate that is
    rounded to a multiple of 1/256.

    Args:
        keys: [B], one per example.
        shape: of one example.
        rate: share to drop, see `drop_threshold`.

    Returns:
        bool [B, *shape], True where kept; the exact probability of True.
    """
    threshold = drop_threshold(rate)
    size = 1
    for n in shape:
        size *= n

    def one(key: Array) -> Array:
        words = jax.random.bits(key, ((size + 3) // 4,), jnp.uint32)
        octets = jax.lax.bitcast_convert_type(words, jnp.uint8).reshape(-1)[:size]
        return (octets >= threshold).reshape(shape)

    return jax.vmap(one)(keys), 1.0 - threshold / 256
