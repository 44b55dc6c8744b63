"""The power iterations of all layers of a network at once, on accelerators.

A layer with spectral normalisation takes its kernel's largest singular value in five small kernels, one after
the other, and a network has a dozen of such layers. Here their matrices are padded with zeros to one size,
which changes no singular value but 0, and all iterate together.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gan_jax.utils.tree import PyTree

Array = jax.Array
Path = tuple[str, ...]

COLLECTION = "spectral"
TINY = 1e-12  # a norm below this is zero
MOST = 2**22  # numbers in all the padded matrices: larger networks are not bound by launches


class Asked(NamedTuple):
    """What a layer needs: its kernel's shape, which axis of it counts the outputs, how many iterations."""

    shape: tuple[int, ...]
    out_axis: int
    iterations: int


class Estimate(NamedTuple):
    """Singular vectors u [outputs] and v [everything else] and the singular value, constants."""

    u: Array
    v: Array
    sigma: Array


_ASKED: ContextVar[dict[Path, Asked | None] | None] = ContextVar("what layers ask for", default=None)
_FOUND: ContextVar[dict[Path, Estimate] | None] = ContextVar("what was found for them", default=None)


def as_matrix(kernel: Array, out_axis: int) -> Array:
    """A kernel as a matrix [everything else, out]."""
    return jnp.moveaxis(kernel, out_axis, -1).reshape(-1, kernel.shape[out_axis])


def estimate(path: Path, asked: Asked) -> Estimate | None:
    """What `together` found for the layer at this path in its network; None where it looked at none."""
    record, found = _ASKED.get(), _FOUND.get()
    if record is not None:
        record[path] = None if path in record else asked  # called twice, it iterates twice
    return None if found is None else found.get(path)


def together(call: Callable[[], Any], params: PyTree, collection: PyTree) -> Any:
    """`call()` of a network, whose layers find their estimates ready.

    Args:
        params: of the network.
        collection: its collection "spectral".
    """
    record: dict[Path, Asked | None] = {}
    token = _ASKED.set(record)
    try:
        jax.eval_shape(call)
    finally:
        _ASKED.reset(token)
    once = {path: asked for path, asked in record.items() if asked is not None}
    found = _FOUND.set(_estimates(once, params, collection))
    try:
        return call()
    finally:
        _FOUND.reset(found)


def _estimates(record: dict[Path, Asked], params: PyTree, collection: PyTree) -> dict[Path, Estimate]:
    matrices: dict[Path, Array] = {}
    for path, asked in record.items():
        weights = _at(params, path).values()
        kernel = next(x for x in weights if x.shape == asked.shape)
        matrices[path] = jax.lax.stop_gradient(as_matrix(kernel, asked.out_axis))
    rows, columns = (max((x.shape[axis] for x in matrices.values()), default=0) for axis in (0, 1))
    if len(matrices) * rows * columns > MOST or len({asked.iterations for asked in record.values()}) != 1:
        return {}
    stacked = jnp.stack([_padded(x, (rows, columns)) for x in matrices.values()])
    vectors = (jax.lax.stop_gradient(_at(collection, path)["u"]) for path in matrices)
    u = jnp.stack([_padded(x, (columns,)) for x in vectors])
    for _ in range(next(iter(record.values())).iterations):
        u, v, sigma = _iterated(stacked, u)
    return {
        path: Estimate(u[index, : x.shape[1]], v[index, : x.shape[0]], sigma[index])
        for index, (path, x) in enumerate(matrices.items())
    }


def _iterated(matrices: Array, u: Array) -> tuple[Array, Array, Array]:
    """v = W u / |W u|, W^T v / |W^T v|, |W^T v| of matrices W [L, n, m] and vectors u [L, m]."""
    v, _ = _unit(jnp.sum(matrices * u[:, None, :], 2), jnp.zeros(matrices.shape[:2]))
    u, sigma = _unit(jnp.sum(matrices * v[:, :, None], 1), u)
    return u, v, sigma


def _unit(x: Array, otherwise: Array) -> tuple[Array, Array]:
    norm = jnp.sqrt(jnp.sum(jnp.square(x), 1, keepdims=True))
    return jnp.where(norm > TINY, x / jnp.maximum(norm, TINY), otherwise), norm[:, 0]


def _padded(x: Array, shape: tuple[int, ...]) -> Array:
    return jnp.pad(x, [(0, large - small) for small, large in zip(x.shape, shape, strict=True)])


def _at(tree: PyTree, path: Path) -> dict[str, Any]:
    for name in path:
        tree = tree[name]
    found: dict[str, Any] = tree
    return found


@jax.custom_vjp
def product(matrix: Array, found: Estimate) -> Array:
    """v^T W u, which is known; its gradient in the matrix W [n, m] is v u^T."""
    return found.sigma


product.defvjp(
    lambda matrix, found: (found.sigma, found),
    lambda found, d: (d * jnp.outer(found.v, found.u), jax.tree.map(jnp.zeros_like, found)),
)
