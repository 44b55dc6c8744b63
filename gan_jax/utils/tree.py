"""Trees of arrays: their type, their size, several of them together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

PyTree = Any


def tree_bytes(tree: PyTree) -> int:
    """Bytes of the arrays in a tree (keys are counted as their data)."""
    leaves = jax.tree.leaves(jax.eval_shape(_key_data, tree))
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)


def united(first: Mapping[str, PyTree], second: Mapping[str, PyTree]) -> dict[str, PyTree]:
    """Both, where what has the same name is the same.

    Raises:
        ValueError: one name for different arrays.
    """
    for name in first.keys() & second.keys():
        one, other = first[name], second[name]
        structures: list[Any] = [jax.tree.structure(tree) for tree in (one, other)]
        alike = structures[0] == structures[1]
        if not (alike and jax.tree.all(jax.tree.map(np.array_equal, one, other))):
            raise ValueError(
                f"two different frozen constants are called {name!r}: take the same one everywhere, or give "
                "their files other names"
            )
    return {**first, **second}


def _key_data(tree: PyTree) -> PyTree:
    def data(leaf: jax.Array) -> jax.Array:
        return jax.random.key_data(leaf) if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf

    return jax.tree.map(data, tree)
