"""The weights of the dense layers that read a generator's latents first, whatever the network.

A network is run on shapes alone, and every layer is looked at as it is called: those with a matrix that takes
vectors as long as the latents are the ones. So no network needs to say which they are.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.core.update import Array
from gan_jax.latent_tools.generator import LatentGenerator, Space
from gan_jax.utils.errors import UserError
from gan_jax.utils.tree import PyTree

MATRIX = 2  # axes of a dense layer's kernel [in, out]


def first_weights(generator: LatentGenerator, space: Space) -> list[np.ndarray]:
    """Of z the kernel [L, n] of the first dense layer; of w those [D, n] of all layers that read styles.

    Of a layer that is also told the class only the rows of the latents.

    Raises:
        UserError: the network has no such layer.
    """
    algorithm, state = generator.algorithm, generator.state
    label = None if algorithm.num_classes is None else jnp.zeros(1, jnp.int32)
    z = jnp.zeros((1, algorithm.input_size))
    if space == "z":
        found = _reading(generator, z, label, "z", algorithm.input_size, joined=True)[:1]
    else:
        w = jax.eval_shape(lambda state: algorithm.styles(state, z, generator.told(z, label, state)), state)
        zeros = jnp.zeros(w.shape)
        found = _reading(generator, zeros, label, "w", w.shape[-1], joined=False)
    if not found:
        raise UserError(
            f"{type(algorithm.generator).__name__} has no dense layer that reads {space}, whose weights "
            "would say the directions"
        )
    return found


def _reading(
    generator: LatentGenerator,
    latent: Array,
    label: Array | None,
    space: Space,
    size: int,
    *,
    joined: bool,
) -> list[np.ndarray]:
    """The first `size` rows of the matrices of layers called with vectors of that size, in order of calls.

    Args:
        joined: vectors may be longer, with a code of the label behind the latent.
    """
    paths: list[tuple[tuple[str, ...], str]] = []

    def look(call: Any, args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        module = context.module
        shapes = [x.shape[-1] for x in args if hasattr(x, "shape") and x.ndim == MATRIX]
        if shapes and module.scope is not None and (shapes[0] == size or (joined and shapes[0] > size)):
            for name, leaf in module.variables.get("params", {}).items():
                key = (module.path, name)
                if getattr(leaf, "ndim", 0) == MATRIX and leaf.shape[0] == shapes[0] and key not in paths:
                    paths.append(key)
        return call(*args, **kwargs)

    with nn.intercept_methods(look):
        jax.eval_shape(lambda state: generator.image(state, space, latent, label), generator.state)
    return [_leaf(generator.state.ema["params"], *path)[:size] for path in paths]


def _leaf(params: PyTree, path: tuple[str, ...], name: str) -> np.ndarray:
    for part in path:
        params = params[part]
    return np.asarray(params[name], np.float64)
