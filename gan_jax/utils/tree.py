"""Trees of arrays: their type and their size."""

from __future__ import annotations

import math
from typing import Any

import jax

PyTree = Any


def tree_bytes(tree: PyTree) -> int:
    """Bytes of the arrays in a tree (keys are counted as their data)."""
    leaves = jax.tree.leaves(jax.eval_shape(_key_data, tree))
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)


def _key_data(tree: PyTree) -> PyTree:
    def data(leaf: jax.Array) -> jax.Array:
        return jax.random.key_data(leaf) if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf

    return jax.tree.map(data, tree)
