"""A perceptual distance between images: the form of LPIPS, with unit weights, in any feature network.

Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", arXiv:1801.03924,
equation 1. LPIPS proper has learned weights for the channels of AlexNet or VGG; with every weight 1 a layer's
distance is twice one minus the mean cosine (the paper's section 3), so numbers compare within one network
only, and not with published ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.feature_networks.network import FeatureNetwork
from gan_jax.utils.errors import UserError
from gan_jax.utils.tree import PyTree

Array = jax.Array

_TINY = 1e-10  # added to a norm, as in LPIPS: positions where all channels are 0, up to rounding, stay 0
_BATCH = 64


def maps_distance(a: Sequence[Array], b: Sequence[Array]) -> Array:
    """sum over layers of mean over positions of |a / |a| - b / |b||^2: float32 [B], from 0 to 4 per layer.

    Norms are over the channels. Equation 1 of arXiv:1801.03924 with unit weights.

    Args:
        a: activations float32 [B, h, w, c] of several layers.
        b: those of the other images.

    Raises:
        ValueError: no layer, or shapes that differ.
    """
    if not a or [x.shape for x in a] != [y.shape for y in b]:
        raise ValueError(
            f"expected maps of the same shapes, got {[x.shape for x in a]}, {[y.shape for y in b]}"
        )
    layers = [
        jnp.mean(jnp.sum((_unit(x) - _unit(y)) ** 2, axis=-1), axis=(1, 2)) for x, y in zip(a, b, strict=True)
    ]
    return jnp.sum(jnp.stack(layers), axis=0)


def _unit(activations: Array) -> Array:
    """Of length 1 over the channels."""
    # Scaled first: the squares of activations beyond 1e19 would overflow, and the distance be 0.
    largest = jnp.max(jnp.abs(activations), axis=-1, keepdims=True)
    scaled = activations / (largest + jnp.where(largest > 0, 0.0, 1.0))
    norm = jnp.sqrt(jnp.sum(scaled**2, axis=-1, keepdims=True))
    return activations / (largest * norm + _TINY)


def perceptual_distance(network: FeatureNetwork, a: np.ndarray | Array, b: np.ndarray | Array) -> np.ndarray:
    """The distance of each pair of images: float32 [N], at least 0, symmetric, 0 for equal images.

    Args:
        network: one with `maps`.
        a: images [N, H, W, C], uint8, or float32 in 0 to 255.
        b: likewise.

    Raises:
        UserError: the network has no maps or does not take such images, or they are not finite.
        ValueError: the shapes differ.
    """
    if np.shape(a) != np.shape(b) or np.ndim(a) != 4:
        raise ValueError(f"expected two arrays of one shape [N, H, W, C], got {np.shape(a)}, {np.shape(b)}")
    if network.maps is None:
        raise UserError(
            f"the feature network {network.name} has no maps of several layers, which a perceptual distance "
            "compares: choose a convolutional network"
        )
    network.check_shape(np.shape(a)[1:])
    distances = np.empty(len(a), np.float32)
    size = min(_BATCH, len(a))
    for start in range(0, len(a), size or 1):
        # One shape for all batches; the last repeats its last pair.
        taken = np.minimum(np.arange(start, start + size), len(a) - 1)
        found = _pairs_distance(network.maps, network.params, a[taken], b[taken])
        distances[start : start + size] = np.asarray(found)[: len(a) - start]
    bad = int(np.sum(~np.isfinite(distances)))
    if bad:
        raise UserError(
            f"{bad} of {len(distances)} perceptual distances are NaN or infinite: images or their features "
            "hold such values; did the generator diverge?"
        )
    return distances


@partial(jax.jit, static_argnums=0)
def _pairs_distance(
    maps: Callable[[PyTree, Array], list[Array]], params: PyTree, a: Array, b: Array
) -> Array:
    """`maps_distance` float32 [B] of images [B, H, W, C], of which one call of the network sees all.

    So both sides are rounded by the same program. An accelerator's default product, with three digits, would
    drown the difference of near images; this asks for float32.
    """
    with jax.default_matmul_precision("highest"):
        found = maps(params, jnp.concatenate([a, b]))
    return maps_distance([x[: len(a)] for x in found], [x[len(a) :] for x in found])
