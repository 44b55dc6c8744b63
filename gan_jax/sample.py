"""Pictures from a generator: any number of them, each a function of (key, its index) alone."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np

from gan_jax.algorithm import Algorithm
from gan_jax.build import DataSpec
from gan_jax.state import TrainState

CHUNK = 64  # images in one compiled call; part of what image number i is, so it never changes

# (state, count, key, labels [count] or None) -> float32 [count, H, W, C] in [-1, 1]
Sampler = Callable[..., np.ndarray]


def make_sampler(algorithm: Algorithm, spec: DataSpec) -> Sampler:
    """sampler(state, count, key, labels=None) -> float32 [count, H, W, C] in [-1, 1].

    Image number i is the same whatever the count. `labels` int32 [count] are read by conditional methods
    only; None is all zeros.
    """
    compiled = jax.jit(algorithm.sample)
    image = np.zeros((CHUNK, *spec.image_shape), np.float32)

    def sample(state: TrainState, count: int, key: jax.Array, labels: np.ndarray | None = None) -> np.ndarray:
        padded = np.zeros(-(-count // CHUNK) * CHUNK, np.int32)
        padded[:count] = 0 if labels is None else labels
        chunks = [
            compiled(state, {"image": image, "label": label}, jax.random.fold_in(key, number))
            for number, label in enumerate(padded.reshape(-1, CHUNK))
        ]
        return np.concatenate([np.asarray(chunk) for chunk in chunks])[:count]

    return sample


def class_rows(algorithm: Algorithm, count: int) -> tuple[np.ndarray | None, int | None]:
    """Labels int32 [count], each class as often as any other, and the columns of a grid with a row per class.

    The labels are None where there are no classes, the columns where the classes do not divide the count.
    """
    classes = algorithm.num_classes
    if classes is None:
        return None, None
    labels = np.arange(count, dtype=np.int64) * classes // count
    return labels.astype(np.int32), None if count % classes else count // classes
