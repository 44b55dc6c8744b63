"""Fakes beside the real images that are nearest to them: whether a generator copies, to the eye."""

from __future__ import annotations

import numpy as np

from gan_jax.evaluate import Evaluator
from gan_jax.fakes import Fake
from gan_jax.metrics.image_source import ImageSource
from gan_jax.metrics.nearest import nearest_training
from gan_jax.pictures import grid

ROWS, NEAREST = 10, 7


def neighbours_picture(evaluator: Evaluator, fake: Fake, rows: int = ROWS, k: int = NEAREST) -> np.ndarray:
    """A row for each of the first fakes: the fake, then its k nearest reals in feature space, nearest first.

    Args:
        evaluator: with the reals and the network that measures distances.
        fake: whose first `rows` images are shown.

    Returns:
        A picture, uint8 [h, w, C].
    """
    sample = evaluator.extract(fake.source, rows, images=rows)
    indices, _ = nearest_training(sample.features, evaluator.real.features, k)
    reals = picked(evaluator.real_source, indices.ravel()).reshape(rows, k, *sample.images.shape[1:])
    shown = np.concatenate([sample.images[:, None], reals], axis=1).reshape(-1, *sample.images.shape[1:])
    return grid(shown / 127.5 - 1, columns=k + 1)


def picked(source: ImageSource, indices: np.ndarray) -> np.ndarray:
    """The images uint8 [n, H, W, C] with these indices [n]; reads the source up to the last of them."""
    found = np.empty((len(indices), *source.image_shape), np.uint8)
    done = 0
    for images, _ in source.batches(int(indices.max()) + 1, 1024):
        here = (indices >= done) & (indices < done + len(images))
        found[here] = images[indices[here] - done]
        done += len(images)
    return found
