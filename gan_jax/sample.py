"""Pictures from a generator: any number of them, each a function of (key, its index) alone."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np

from gan_jax.algorithm import Algorithm
from gan_jax.build import DataSpec
from gan_jax.state import TrainState

CHUNK = 64  # images in one compiled call; part of what image number i is, so it never changes

Sampler = Callable[[TrainState, int, jax.Array], np.ndarray]


def make_sampler(algorithm: Algorithm, spec: DataSpec, label: int | None = None) -> Sampler:
    """sampler(state, count, key) -> float32 [count, H, W, C] in [-1, 1].

    Image number i is the same whatever the count. `label` is read by conditional methods only.
    """
    compiled = jax.jit(algorithm.sample)
    batch: dict[str, np.ndarray] = {"image": np.zeros((CHUNK, *spec.image_shape), np.float32)}
    if spec.num_classes is not None:
        batch["label"] = np.full(CHUNK, 0 if label is None else label, np.int32)

    def sample(state: TrainState, count: int, key: jax.Array) -> np.ndarray:
        chunks = [
            compiled(state, batch, jax.random.fold_in(key, number)) for number in range(-(-count // CHUNK))
        ]
        return np.concatenate([np.asarray(chunk) for chunk in chunks])[:count]

    return sample
