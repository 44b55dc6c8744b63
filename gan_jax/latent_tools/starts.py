"""Where a projection starts: at the mean style, or at the nearest of some random latents."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import trange

from gan_jax.core.update import Array
from gan_jax.inference.sample import CHUNK
from gan_jax.latent_tools.distance import Distance
from gan_jax.latent_tools.generator import LatentGenerator, Latents, Space
from gan_jax.utils.tree import PyTree

CANDIDATES = 256  # random latents, of which each target's nearest is taken
SPREAD_SAMPLES = 4096  # latents whose spread is measured


class Starts(NamedTuple):
    """Where targets start from.

    Attributes:
        values: float32 [N, L] of z, [N, D] of w, one style for all layers.
        labels: int32 [N] of a conditional generator.
        layers: of w; 0 of z.
        spread: the root of the mean squared distance of random latents from their mean.
    """

    values: np.ndarray
    labels: np.ndarray | None
    layers: int
    spread: float


def find_starts(
    generator: LatentGenerator,
    distance: Distance,
    wanted: list[Array],
    space: Space,
    labels: np.ndarray | None,
    seed: int,
) -> Starts:
    """Starts in this space.

    Args:
        wanted: `distance.seen` of the N targets.
        labels: int32 [N]; None for those of the nearest random latents, where there are classes.
    """
    count = len(wanted[-1])
    is_told = generator.algorithm.num_classes is not None
    if space == "w" and (labels is not None or not is_told):
        near = None
    else:
        near = nearest_candidates(generator, distance, wanted, labels, seed)
        labels = near.labels
    many = None if labels is None else np.resize(labels, SPREAD_SAMPLES)
    sample = generator.in_space(generator.many(SPREAD_SAMPLES, seed, many), space).values
    if space == "z":
        assert near is not None
        return Starts(near.values, labels, 0, _spread(sample))
    mean = np.asarray(generator.algorithm.mean_style(generator.state))
    return Starts(np.tile(mean, (count, 1)), labels, sample.shape[1], _spread(sample[:, 0]))


def nearest_candidates(
    generator: LatentGenerator, distance: Distance, wanted: list[Array], labels: np.ndarray | None, seed: int
) -> Latents:
    """Of CANDIDATES random z, of each class, for each target the one whose image is nearest.

    Args:
        labels: of the targets; None: any class may be the nearest.
    """
    classes = generator.algorithm.num_classes
    own = None
    count = CANDIDATES
    if classes is not None:
        tried = np.arange(classes) if labels is None else np.unique(labels)
        count = max(CANDIDATES, CHUNK * len(tried))
        own = np.resize(tried, count).astype(np.int32)
    drawn = generator.many(count, seed, own)
    compare = jax.jit(partial(_to_all, distance))
    parts = []
    for at in trange(0, count, CHUNK, desc="looking for starts", leave=False, disable=None):
        images = generator(drawn.take(np.arange(at, min(at + CHUNK, count))))
        parts.append(np.asarray(compare(distance.weights, images, wanted)))
    distances = np.concatenate(parts, axis=1)
    if own is not None and labels is not None:
        distances = np.where(own[None] == labels[:, None], distances, np.inf)
    return drawn.take(distances.argmin(axis=1))


def _to_all(distance: Distance, weights: PyTree, images: Array, wanted: list[Array]) -> Array:
    """The distances [N, B] of N targets to B images."""
    made = distance.seen(weights, images)

    def to_one(one: list[Array]) -> Array:
        return distance.between(made, [jnp.broadcast_to(x, (len(images), *x.shape)) for x in one])

    return jax.lax.map(to_one, wanted)  # one target after the other: maps of all pairs would be many


def _spread(values: np.ndarray) -> float:
    return float(np.sqrt(np.sum(np.var(values, axis=0, dtype=np.float64))))
