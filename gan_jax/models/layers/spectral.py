"""Spectral normalisation: a layer's kernel divided by its largest singular value.

Miyato, Kataoka, Koyama, Yoshida 2018, "Spectral normalization for generative adversarial networks",
arXiv:1802.05957, algorithm 1. The kernel is taken as a matrix [everything else, out]; for a
convolution that is the paper's reshaping, whose largest singular value is not the operator norm of
the convolution itself.

The estimate of the left singular vector, `u`, lives in the collection "spectral". Every forward pass
takes a power iteration from it; a training pass keeps the result, others do not. (The official code
takes the old vectors as they are in evaluation. Here the weights in evaluation may be a moving
average, and `u` the average of unit vectors, which is none; the iteration makes it one again.)
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.core.spectral import COLLECTION, TINY, Asked, as_matrix, estimate, product
from gan_jax.utils.checks import check_count

Array = jax.Array


def _matvec(a: Array, b: Array) -> Array:
    """Full float32, also where the device's default is less: sigma scales the whole layer."""
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def _unit(x: Array, otherwise: Array) -> Array:
    """x with norm 1; `otherwise` if it is zero, so that a zero kernel cannot destroy `u` for good."""
    norm = jnp.linalg.norm(x)
    return jnp.where(norm > TINY, x / jnp.maximum(norm, TINY), otherwise)


def power_iteration(matrix: Array, u: Array, iterations: int = 1) -> tuple[Array, Array]:
    """Estimates of the singular vectors that belong to the largest singular value.

    Args:
        matrix: [n, m].
        u: [m], any length but zero.
        iterations: how often to repeat v = W u / |W u|, u = W^T v / |W^T v|.

    Returns:
        u [m] and v [n], constants for the gradient.
    """
    matrix, u = jax.lax.stop_gradient((matrix, u))
    for _ in range(iterations):
        v = _unit(_matvec(matrix, u), jnp.zeros(matrix.shape[0], matrix.dtype))
        u = _unit(_matvec(v, matrix), u)
    return u, v


def spectral_normalise(
    module: nn.Module, kernel: Array, train: bool, iterations: int = 1, out_axis: int = -1
) -> Array:
    """kernel / sigma, with `u` [out] kept in the collection "spectral" of `module`.

    sigma = v^T W u, with u and v as constants (the paper's equation 9); its gradient in W is v u^T.
    A zero kernel stays zero. The first `u` is a random direction from the "params" key, drawn after
    the kernel, so the kernel starts as it does without spectral normalisation.

    Args:
        module: the layer, inside its compact method.
        kernel: any shape.
        train: whether `u` moves; it does not where its collection is not mutable.
        iterations: of the power method, per pass.
        out_axis: the axis of the kernel that counts the outputs.
    """
    check_count(iterations, "power_iterations")
    matrix = as_matrix(kernel, out_axis)

    def first() -> Array:
        direction = jax.random.normal(module.make_rng("params"), matrix.shape[1:], matrix.dtype)
        return direction / jnp.linalg.norm(direction)

    stored = module.variable(COLLECTION, "u", first)
    known = estimate(module.path, Asked(kernel.shape, out_axis, iterations))
    u, v = (known.u, known.v) if known else power_iteration(matrix, stored.value, iterations)
    if train and not module.is_initializing() and module.is_mutable_collection(COLLECTION):
        stored.value = u
    sigma = product(matrix, known) if known else _matvec(_matvec(v, matrix), u)
    return kernel / jnp.where(sigma > TINY, sigma, 1.0)
