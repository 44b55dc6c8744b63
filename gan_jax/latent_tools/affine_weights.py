"""The weights of the dense layers that read a generator's latents first, whatever the network.

Every layer is looked at as it is called: those with a matrix that takes vectors as long as the latents are
the ones. So no network needs to say which they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.core.update import Array
from gan_jax.latent_tools.generator import LatentGenerator, Space
from gan_jax.utils.errors import UserError
from gan_jax.utils.tree import PyTree

_MATRIX = 2  # axes of a dense layer's input [B, in] and kernel [in, out]
_Path = tuple[tuple[str, ...], str]


class _Found(Exception):
    """Ends a network's run: what is looked for was called."""


def first_weights(generator: LatentGenerator, space: Space) -> list[np.ndarray]:
    """Of z the kernel [L, n] of the first dense layer; of w those [D, n] of all layers that read styles.

    Of a layer that is also told the class only the rows of the latents.

    Raises:
        UserError: the network has no such layer.
    """
    algorithm = generator.algorithm
    label = None if algorithm.num_classes is None else jnp.zeros(1, jnp.int32)
    z = jnp.zeros((1, algorithm.input_size))
    paths = _reading_z(generator, z, label) if space == "z" else _reading_w(generator, z, label)
    if not paths:
        raise UserError(
            f"{type(algorithm.generator).__name__} has no dense layer that reads {space}, whose weights "
            "would say the directions"
        )
    size = algorithm.input_size if space == "z" else None
    params = generator.state.ema["params"]
    return [_leaf(params, *path)[:size] for path in paths]


def _reading_z(generator: LatentGenerator, z: Array, label: Array | None) -> list[_Path]:
    """The first layer that is called with what depends on z, and at least as long as it."""
    paths: list[_Path] = []

    def look(module: nn.Module, x: Array) -> None:
        # Only z is differentiated: what does not depend on it, as an embedded label, is a plain array.
        if isinstance(x, jax.core.Tracer) and x.shape[-1] >= z.shape[-1] and (kernels := _kernels(module, x)):
            paths.append(kernels[0])
            raise _Found

    with nn.intercept_methods(_looking(look)), contextlib.suppress(_Found):
        jax.vjp(lambda z: generator.image(generator.state, "z", z, label), z)
    return paths


def _reading_w(generator: LatentGenerator, z: Array, label: Array | None) -> list[_Path]:
    """All layers that are called with vectors as long as styles, in order."""
    algorithm = generator.algorithm
    paths: list[_Path] = []

    def styles(state: PyTree) -> Array:
        return algorithm.styles(state, z, generator.told(z, label, state))

    shape = jax.eval_shape(styles, generator.state).shape

    def look(module: nn.Module, x: Array) -> None:
        if x.shape[-1] == shape[-1]:
            paths.extend(kernel for kernel in _kernels(module, x) if kernel not in paths)

    with nn.intercept_methods(_looking(look)):
        jax.eval_shape(lambda state: generator.image(state, "w", jnp.zeros(shape), label), generator.state)
    return paths


def _looking(look: Callable[[nn.Module, Array], None]) -> Callable[..., Any]:
    """What Flax calls in the place of every method: shows a module that is called with vectors, and these."""

    def call(method: Any, args: Any, kwargs: Any, context: Any) -> Any:
        if args and getattr(args[0], "ndim", 0) == _MATRIX and context.method_name == "__call__":
            look(context.module, args[0])
        return method(*args, **kwargs)

    return call


def _kernels(module: nn.Module, x: Array) -> list[_Path]:
    """A module's own matrices that take these vectors."""
    own = module.variables.get("params", {})
    return [
        (module.path, name)
        for name, leaf in own.items()
        if getattr(leaf, "ndim", 0) == _MATRIX and leaf.shape[0] == x.shape[-1]
    ]


def _leaf(params: PyTree, path: tuple[str, ...], name: str) -> np.ndarray:
    for part in path:
        params = params[part]
    return np.asarray(params[name], np.float64)
