"""Fakes beside the real images that are nearest to them: whether a generator copies, to the eye."""

from __future__ import annotations

import numpy as np

from gan_jax.evaluation.evaluate import Evaluator
from gan_jax.evaluation.generated import GeneratedSet
from gan_jax.evaluation.sources.image_source import ImageSource, pictured
from gan_jax.metrics.nearest import nearest_training
from gan_jax.summaries.pictures import grid
from gan_jax.utils.errors import UserError

ROWS, NEAREST = 10, 7


def neighbours_picture(
    evaluator: Evaluator, fake: GeneratedSet, rows: int = ROWS, k: int = NEAREST
) -> np.ndarray:
    """A row for each of some fakes: the fake, then its k nearest reals in feature space, nearest first.

    Args:
        evaluator: with the reals and the network that measures distances.
        fake: of whose images `rows` are shown; all, where fewer are evaluated.
        k: all the reals, where there are fewer.

    Returns:
        A picture, uint8 [h, w, C].

    Raises:
        UserError: points, which are no pictures.
    """
    check_pictured(fake.source)
    fakes, all_reals = pictured(fake.source), pictured(evaluator.real_source)
    rows = min(rows, evaluator.num_fakes)
    num_reals = evaluator.setting.num_reals
    k = min(k, num_reals)
    features = evaluator.extract(evaluator.seen(fake.source), rows).features
    images = np.concatenate([batch for batch, _ in fakes.batches(rows, rows)])  # in the same order
    indices, _ = nearest_training(features, evaluator.real.features, k)
    reals = picked(all_reals, num_reals, indices.ravel()).reshape(rows, k, *images.shape[1:])
    shown = np.concatenate([images[:, None], reals], axis=1).reshape(-1, *images.shape[1:])
    return grid(shown, columns=k + 1)


def check_pictured(source: ImageSource) -> None:
    """Raises a UserError if these have no picture each."""
    if not source.codec.pictured:
        raise UserError(
            f"{source.name} holds {source.codec.noun}, which are no pictures: no neighbours can be drawn"
        )


def picked(source: ImageSource, count: int, indices: np.ndarray) -> np.ndarray:
    """Of `count` images of a source those with these indices [n]: uint8 [n, H, W, C].

    Reads no further than to the last of them.
    """
    found = np.empty((len(indices), *source.image_shape), np.uint8)
    done = 0
    for images, _ in source.batches(count, 1024):
        here = (indices >= done) & (indices < done + len(images))
        found[here] = images[indices[here] - done]
        done += len(images)
        if done > indices.max():
            break
    return found
