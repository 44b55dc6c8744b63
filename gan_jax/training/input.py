"""What the train step is given: a feed's item, made into a step's batches inside the compiled program."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from gan_jax.core.algorithm import Batch
from gan_jax.core.randomness import example_keys
from gan_jax.data import Feed
from gan_jax.data.transforms import Transform
from gan_jax.distributed import parallel
from gan_jax.utils.tree import PyTree


def make_fetch(feed: Feed, transforms: Sequence[Transform]) -> parallel.Fetch:
    """From a feed's item to a step's batches [minibatches, B, ...]: gathered, decoded, transformed."""

    def fetch(constants: PyTree, item: PyTree, key: jax.Array) -> Batch:
        batches = dict(feed.fetch(constants, item))
        for name, field in feed.fields.items():
            batches[name] = field.codec.decode(batches[name])
        if not transforms:
            return batches
        minibatches, size = batches["image"].shape[:2]
        keys = jax.vmap(lambda i: example_keys(jax.random.fold_in(key, i), size))(jnp.arange(minibatches))
        for transform in transforms:
            batches = jax.vmap(transform)(batches, keys)
        return batches

    return fetch
