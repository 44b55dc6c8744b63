"""What the train step is given: a feed's item, made into a step's batches inside the compiled program."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from gan_jax.core.algorithm import Batch
from gan_jax.core.randomness import example_keys
from gan_jax.data import Feed, random_flip, to_float
from gan_jax.distributed import parallel
from gan_jax.utils.tree import PyTree


def make_fetch(feed: Feed, flip: bool) -> parallel.Fetch:
    """From a feed's item to a step's batches [minibatches, B, ...]: gathered, scaled, flipped."""

    def fetch(constants: PyTree, item: PyTree, key: jax.Array) -> Batch:
        batches = dict(feed.fetch(constants, item))
        image = batches["image"]
        image = to_float(image) if image.dtype == jnp.uint8 else image  # points are floats already
        if flip:
            keys = jax.vmap(lambda i: example_keys(jax.random.fold_in(key, i), image.shape[1]))
            image = jax.vmap(random_flip)(image, keys(jnp.arange(image.shape[0])))
        return {**batches, "image": image}

    return fetch
