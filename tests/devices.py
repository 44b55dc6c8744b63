"""A function of a batch on 8 devices, each with its own rows, for tests that nothing changes by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from gan_jax.distributed import parallel

AXIS = parallel.AXIS
# Of pmap, which JAX itself makes a shard_map, `test_parallel.py` has whole steps.
WAYS = ("shard_map", pytest.param("pmap", marks=pytest.mark.slow))


def split_run(way: str, local: Callable, params: Any, rows: Any) -> tuple[Any, Any]:
    """local(params, rows of this device) -> (rows, shared), on 8 devices.

    Args:
        params: the same on every device; under `shard_map` cast to varying, as `Algorithm` does.
        rows: leaves [B, ...].

    Returns:
        The rows put together, leaves [B, ...]; the mean of `shared` over the devices.
    """

    def mapped(params: Any, rows: Any) -> tuple[Any, Any]:
        if way == "shard_map":
            params = jax.lax.pcast(params, AXIS, to="varying")
        out, shared = local(params, rows)
        return out, jax.lax.pmean(shared, AXIS)

    if way == "shard_map":
        whole, split = PartitionSpec(), PartitionSpec(AXIS)
        mesh = parallel.make_mesh()
        return jax.jit(jax.shard_map(mapped, mesh=mesh, in_specs=(whole, split), out_specs=(split, whole)))(
            params, rows
        )
    divided = jax.tree.map(lambda x: x.reshape(8, -1, *x.shape[1:]), rows)
    out, shared = jax.pmap(mapped, axis_name=AXIS, in_axes=(None, 0))(params, divided)
    joined = jax.tree.map(lambda x: np.asarray(x).reshape(-1, *x.shape[2:]), out)
    return joined, jax.tree.map(lambda x: x[0], shared)


def everything(loss: Callable) -> Callable:
    """For `split_run`: all there is of a loss(params, rows) -> (mean over rows, values [B, ...]).

    Returns:
        run(params, rows) -> ((values, gradient in rows[0]), (loss, gradient in params)). The gradient in
        the rows is of the sum instead of the mean, so that it does not depend on the split.
    """

    def run(params: Any, rows: tuple) -> tuple[Any, Any]:
        def of_first(params: Any, first: Any) -> tuple[Any, Any]:
            return loss(params, (first, *rows[1:]))

        (value, values), (in_params, in_first) = jax.value_and_grad(of_first, (0, 1), has_aux=True)(
            params, rows[0]
        )
        return (values, in_first * rows[0].shape[0]), (value, in_params)

    return run


def assert_close(found: Any, expected: Any, tolerance: float = 1e-5) -> None:
    """Equal trees, up to `tolerance` relative and absolute."""
    paths = jax.tree_util.tree_leaves_with_path(expected)
    for a, (path, b) in zip(jax.tree.leaves(found), paths, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=jax.tree_util.keystr(path))
