"""Grouped convolution, its transpose and its weight gradient, closed under differentiation.

Channels are in groups, and each group of outputs sees its own group of inputs only (Xie et al. 2017,
arXiv:1611.05431, ResNeXt's cardinality). The three bilinear maps are those of `gan_jax.models.layers.conv`,
with a kernel [kh, kw, I / groups, O].

On accelerators it is XLA's grouped convolution. On the CPU, where XLA has no fast kernel for that, it is
plain convolutions (`gan_jax.models.layers.conv_cpu`), each of several groups, with zeros in the kernel where
inputs and outputs are of different groups: most products are with zeros, and it is some thirty times as
fast (`experiments/speed/layers.py`). Reverse mode only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.models.layers import conv_cpu
from gan_jax.models.layers.geometry import LAYOUT, Geometry
from gan_jax.utils.checks import check_count

Array = jax.Array

# A plain convolution is of groups with so many channels: of more, more products would be with zeros.
BLOCK = 64
# But so many convolutions are enough, as each takes its time to trace and to compile.
MOST = 8


def check(groups: int, inputs: int, outputs: int, resampled: bool) -> None:
    """A layer's groups.

    Raises:
        ValueError: they do not divide the channels on both sides, or the layer also doubles or halves.
    """
    check_count(groups, "groups")
    if inputs % groups or outputs % groups:
        raise ValueError(
            f"groups={groups}: the convolution has {inputs} channels in and {outputs} out; choose a number "
            "that divides both"
        )
    if groups > 1 and resampled:
        raise ValueError(f"groups={groups}: a convolution that doubles or halves has one group")


def _conv(x: Array, w: Array, g: Geometry, groups: int) -> Array:
    return lax.conv_general_dilated(
        x, w, g.stride, g.padding, dimension_numbers=LAYOUT, feature_group_count=groups
    )


def _transpose_default(y: Array, w: Array, g: Geometry, groups: int) -> Array:
    # Made of y, so that it varies over the same mapped axes.
    x = jnp.broadcast_to(y[0, 0, 0, 0], (y.shape[0], *g.large, w.shape[2] * groups))
    return jax.vjp(lambda x: _conv(x, w, g, groups), x)[1](y)[0]


def _weights_default(x: Array, y: Array, g: Geometry, groups: int) -> Array:
    w = jnp.broadcast_to(x[0, 0, 0, 0], (*g.kernel, x.shape[3] // groups, y.shape[3]))
    return jax.vjp(lambda w: _conv(x, w, g, groups), w)[1](y)[0]


def _per_platform(cpu: Callable, default: Callable, a: Array, b: Array, g: Geometry, groups: int) -> Array:
    return lax.platform_dependent(
        a, b, cpu=partial(cpu, g=g, groups=groups), default=partial(default, g=g, groups=groups)
    )


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolve(x: Array, w: Array, g: Geometry, groups: int) -> Array:
    """x [B, *large, I], w [kh, kw, I / groups, O] -> y [B, *small, O]."""
    return _per_platform(_convolve_cpu, _conv, x, w, g, groups)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolve_transpose(y: Array, w: Array, g: Geometry, groups: int) -> Array:
    """y [B, *small, O], w [kh, kw, I / groups, O] -> x [B, *large, I]; note that O is the input here."""
    return _per_platform(_transpose_cpu, _transpose_default, y, w, g, groups)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolve_weights(x: Array, y: Array, g: Geometry, groups: int) -> Array:
    """x [B, *large, I], y [B, *small, O] -> w [kh, kw, I / groups, O], gradient of <y, convolve(x, w)>."""
    return _per_platform(_weights_cpu, _weights_default, x, y, g, groups)


convolve.defvjp(
    lambda x, w, g, n: (convolve(x, w, g, n), (x, w)),
    lambda g, n, xw, dy: (convolve_transpose(dy, xw[1], g, n), convolve_weights(xw[0], dy, g, n)),
)
convolve_transpose.defvjp(
    lambda y, w, g, n: (convolve_transpose(y, w, g, n), (y, w)),
    lambda g, n, yw, dx: (convolve(dx, yw[1], g, n), convolve_weights(dx, yw[0], g, n)),
)
convolve_weights.defvjp(
    lambda x, y, g, n: (convolve_weights(x, y, g, n), (x, y)),
    lambda g, n, xy, dw: (convolve_transpose(xy[1], dw, g, n), convolve(xy[0], dw, g, n)),
)


def _convolve_cpu(x: Array, w: Array, g: Geometry, groups: int) -> Array:
    together = _together(groups, max(x.shape[3], w.shape[3]))
    pairs = zip(_split(x, groups // together), _split(w, groups // together), strict=True)
    return jnp.concatenate([conv_cpu.convolve(x, _dense(w, together), g) for x, w in pairs], -1)


def _transpose_cpu(y: Array, w: Array, g: Geometry, groups: int) -> Array:
    together = _together(groups, max(w.shape[2] * groups, w.shape[3]))
    pairs = zip(_split(y, groups // together), _split(w, groups // together), strict=True)
    return jnp.concatenate([conv_cpu.transpose(y, _dense(w, together), g) for y, w in pairs], -1)


def _weights_cpu(x: Array, y: Array, g: Geometry, groups: int) -> Array:
    together = _together(groups, max(x.shape[3], y.shape[3]))
    pairs = zip(_split(x, groups // together), _split(y, groups // together), strict=True)
    return jnp.concatenate([_own(conv_cpu.weights(x, y, g), together) for x, y in pairs], -1)


def _together(groups: int, channels: int) -> int:
    """How many groups one plain convolution is of, where the larger side has so many channels."""
    block = max(BLOCK, channels // MOST)
    fitting = (n for n in range(groups, 0, -1) if groups % n == 0 and n * channels <= block * groups)
    return next(fitting, 1)


def _split(a: Array, count: int) -> list[Array]:
    """Equal slices of the last axis."""
    return jnp.split(a, count, axis=-1)


def _dense(w: Array, groups: int) -> Array:
    """[kh, kw, I / groups, O] -> [kh, kw, I, O] with zeros between groups."""
    kh, kw, inputs, outputs = w.shape
    own = jnp.eye(groups, dtype=w.dtype)[:, None, :, None]
    wide = w.reshape(kh, kw, 1, inputs, groups, outputs // groups) * own
    return wide.reshape(kh, kw, groups * inputs, outputs)


def _own(w: Array, groups: int) -> Array:
    """The transpose of `_dense`."""
    kh, kw, inputs, outputs = w.shape
    wide = w.reshape(kh, kw, groups, inputs // groups, groups, outputs // groups)
    return jnp.einsum("abgigo->abigo", wide).reshape(kh, kw, inputs // groups, outputs)
