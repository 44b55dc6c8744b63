"""Random numbers that do not depend on how the batch is laid out.

Everything random is drawn per example from `fold_in(key, index of the example in the global batch)`,
so one device, eight, `pmap` and vmapped seeds draw the same numbers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jax.extend.random import threefry_2x32

Array = jax.Array
Latent = Literal["normal", "uniform"]
LATENTS: tuple[Latent, ...] = get_args(Latent)

# Steps fold 0, 1, 2, ... into the run's key, and updates theirs into the step's; what else is drawn
# folds in a number that those never reach.
INIT = 0xFFFF_FFFF  # into the run's key: initial parameters
PICTURES = 0xFFFF_FFFE  # into the run's key: the latents of the pictures drawn while training
INPUT = 0xFFFF_FFFD  # into the step's key: random flips of the reals
NOISE = 0xFFFF_FFFC  # into the key of a network's "dropout" stream: that of its "noise" stream


@dataclass(frozen=True)
class Microbatch:
    """Which examples a part of a mini-batch holds: of every `parts` groups of neighbours one.

    So a part of a batch that is split over devices is split over them in the same way, and which examples it
    holds does not depend on how many devices there are.

    Attributes:
        index: int32 [], which of the parts.
        parts: how many there are.
        group: neighbours that stay together.
        examples: that the part holds on this device.
    """

    index: Array
    parts: int
    group: int
    examples: int

    def places(self, rows: Array, count: int) -> Array:
        """Where these rows of the part are in the global batch, int32 as `rows`.

        Args:
            rows: of all devices' parts, one after the other.
            count: rows on this device: as many for each group, be it one for each example, fewer (packs of
                them) or more (an example and its fake).

        Raises:
            ValueError: the groups cannot have as many rows each.
        """
        groups = self.examples // self.group
        each = count // groups if groups else 0
        if each * groups != count or count == 0:
            raise ValueError(
                f"{count} rows were asked to be random, in a part of {self.examples} examples of which "
                f"{self.group} stay together: give as many keys to each of the {groups} groups"
            )
        return (rows // each * self.parts + self.index) * each + rows % each


# Set while a loss is traced for a part of its mini-batch. Dropout deep inside a network must know, and no
# argument reaches it: a module's fields cannot be arrays.
_PART: ContextVar[Microbatch | None] = ContextVar("part of the mini-batch", default=None)


@contextlib.contextmanager
def within(part: Microbatch) -> Iterator[None]:
    """While it is open `example_keys` gives the keys of this part's examples.

    To be opened inside the function that is traced with `part.index`. What is traced in it must not be kept
    for another part: no function that was jitted before may ask for keys there (JAX then raises an
    UnexpectedTracerError).
    """
    token = _PART.set(part)
    try:
        yield
    finally:
        _PART.reset(token)


def example_keys(key: Array, count: int, axis_name: str | None = None) -> Array:
    """Keys [count] of the examples on this device.

    Args:
        key: typed key [].
        count: examples on this device; of the part, where a mini-batch is computed in parts (`within`).
        axis_name: the mapped axis that splits the batch, None where `count` is the global batch.
    """
    first = jax.lax.axis_index(axis_name) * count if axis_name else 0
    places, part = first + jnp.arange(count), _PART.get()
    if part is not None:
        places = part.places(places, count)
    return jax.vmap(lambda index: jax.random.fold_in(key, index))(places)


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

    def mask_example(key: Array) -> Array:
        words = _words(key, -(-size // 4))
        octets = jax.lax.bitcast_convert_type(words, jnp.uint8).reshape(-1)[:size]
        return (octets >= threshold).reshape(shape)

    return jax.vmap(mask_example)(keys), 1.0 - threshold / 256


def _words(key: Array, count: int) -> Array:
    """Random bits uint32 [count], of a key that is used for nothing else.

    Both words of each Threefry hash: `jax.random.bits` takes one, and twice the time.
    """
    if jax.random.key_impl(key) != "threefry2x32":
        return jax.random.bits(key, (count,), jnp.uint32)
    return threefry_2x32(jax.random.key_data(key), jnp.arange(count, dtype=jnp.uint32))
