"""Generated pictures beside the training pictures that are nearest to them, in pixels and in features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gan_jax.evaluation.extract import Extractor
from gan_jax.evaluation.neighbours import check_pictured, picked
from gan_jax.evaluation.sources.image_source import ImageSource, like, pictured, seen_by
from gan_jax.feature_networks.network import FeatureNetwork
from gan_jax.metrics.nearest import nearest_training
from gan_jax.summaries.columns import with_column_names
from gan_jax.summaries.pictures import grid
from gan_jax.utils.errors import UserError


def neighbours_picture(
    fake: ImageSource, real: ImageSource, networks: Sequence[tuple[str, FeatureNetwork]], rows: int, k: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A row for each of some fakes: the fake, and then for each network the k nearest reals, nearest first.

    Args:
        fake: of whose images the first `rows` are shown.
        real: all of it is searched.
        networks: whose features are compared, with the names of their columns.
        k: all the reals, where there are fewer.

    Returns:
        The picture, uint8 [h, w, C], and by column name the distances float64 [rows, k].

    Raises:
        UserError: examples without pictures, an endless real side.
    """
    check_pictured(fake)
    if real.size is None:
        raise UserError(f"{real.name} has no end: its nearest pictures cannot be found")
    k = min(k, real.size)
    indices, distances = {}, {}
    for name, network in networks:
        extract, others = Extractor(network), seen_by(real, network.codec)
        near = extract(like(seen_by(fake, network.codec), others), rows).features
        found = nearest_training(near, extract.cached(others, real.size).features, k)
        indices[name], distances[name] = found
    images = np.concatenate([batch for batch, _ in pictured(fake).batches(rows, rows)])
    chosen = np.concatenate([found.ravel() for found in indices.values()])
    reals = picked(pictured(real), real.size, chosen).reshape(len(networks), rows, k, *images.shape[1:])
    shown = np.concatenate([images[:, None], *reals], axis=1)
    picture = grid(shown.reshape(-1, *images.shape[1:]), columns=shown.shape[1])
    names = ["generated", *(f"{name} {i + 1}" for name, _ in networks for i in range(k))]
    return with_column_names(picture, names), distances
