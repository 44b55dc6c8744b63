"""Pictures of a bright ring at a random place, drawn when they are read."""

import numpy as np

from gan_jax.data import DATASETS, Dataset, from_arrays


@DATASETS.register("rings")
def rings(split: str, size: int = 16, count: int = 2_000, seed: int = 0) -> Dataset:
    """Grey pictures, uint8 [count, size, size]; of the split "test" a tenth of that, of other draws."""
    number, stream = {"train": (count, 0), "test": (count // 10, 1)}[split]
    draws = np.random.default_rng([seed, stream])
    x, y = draws.uniform(0.35, 0.65, (2, number, 1, 1)) * size
    radius = draws.uniform(0.15, 0.3, (number, 1, 1)) * size
    row, column = np.mgrid[:size, :size] + 0.5
    distance = np.abs(np.hypot(row - y, column - x) - radius)
    return from_arrays(np.rint(255 * np.clip(1.5 - distance, 0, 1)).astype(np.uint8))
