"""Weight clipping, historical averaging and finite gradients as links of an optax chain.

Their states hold only arrays, so a resumed run goes on with the same bits.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax

from gan_jax.utils.tree import PyTree

Array = jax.Array
Transformation: TypeAlias = optax.GradientTransformationExtraArgs


def clip_weights(limit: float) -> Transformation:
    """Weight clipping, last in a chain: the update u of parameters p with -limit <= p + u <= limit.

    Where p + u is well within the limits, u stays. Elsewhere p + u is what clipping gives up to the
    rounding of u, and never beyond the limit.
    """

    def clip(p: Array, u: Array) -> Array:
        moved = p + u
        # Near the limit the sum is taken from the changed u as well: the compiler may fuse this addition
        # with whatever made u, and the caller's without that rounds differently.
        near = jnp.abs(moved) > limit * (1 - 1e-6)
        u = jnp.where(near, jnp.clip(moved, -limit, limit) - p, u)
        beyond = jnp.abs(p + u) > limit
        fixed = jax.lax.stop_gradient(
            u
        )  # nextafter has no derivative, and a unit in the last place needs none
        inward = jnp.nextafter(fixed, -jnp.sign(moved) * jnp.inf) - fixed
        return u + jnp.where(beyond, inward, 0.0)

    def update(updates: PyTree, state: PyTree, params: PyTree = None, **_: Any) -> tuple[PyTree, PyTree]:
        return jax.tree.map(clip, _needed(params), updates), state

    return Transformation(lambda params: optax.EmptyState(), update)


def replace_not_finite(limit: float = 1e5) -> Transformation:
    """First in a chain: gradients with 0 for NaN and +-limit for +-infinity."""

    def replace(g: Array) -> Array:
        return jnp.nan_to_num(g, nan=0.0, posinf=limit, neginf=-limit)

    def update(updates: PyTree, state: PyTree, params: PyTree = None, **_: Any) -> tuple[PyTree, PyTree]:
        return jax.tree.map(replace, updates), state

    return Transformation(lambda params: optax.EmptyState(), update)


class HistoryState(NamedTuple):
    """The mean of the parameters before each past update, and how many updates there were."""

    updates: Array  # int32 []
    mean: PyTree


def average_history(weight: float) -> Transformation:
    """Historical averaging, first in a chain: adds the gradient of weight |theta - mean of past thetas|^2.

    The past is theta before every earlier update, the initial one included. At the first update there
    is none, and the gradient stays.
    """

    def init(params: PyTree) -> HistoryState:
        return HistoryState(jnp.zeros((), jnp.int32), jax.tree.map(jnp.copy, params))

    def update(
        updates: PyTree, state: HistoryState, params: PyTree = None, **_: Any
    ) -> tuple[PyTree, HistoryState]:
        params = _needed(params)
        updates = jax.tree.map(lambda g, p, m: g + 2.0 * weight * (p - m), updates, params, state.mean)
        count = state.updates + 1
        mean = jax.tree.map(lambda p, m: m + (p - m) / count.astype(p.dtype), params, state.mean)
        return updates, HistoryState(count, mean)

    return Transformation(init, update)


def _needed(params: PyTree) -> PyTree:
    if params is None:
        raise ValueError("params=None: weight clipping and historical averaging need tx.update(..., params)")
    return params
