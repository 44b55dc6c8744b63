"""The pictures of a run: some of the data, and samples from the run's fixed latents."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.config.build import Plan
from gan_jax.core.randomness import PICTURES
from gan_jax.core.state import TrainState
from gan_jax.data import to_float
from gan_jax.inference.sample import ImageSampler, class_rows
from gan_jax.summaries.pictures import grid, save_png
from gan_jax.summaries.point_pictures import PICTURED_POINTS, points_picture

PICTURED = 64  # images in a grid


def picture_of_reals(plan: Plan, folder: Path) -> None:
    """Writes reals.png: some of the data."""
    if plan.dataset.density is not None:
        reals = plan.dataset.gather(np.arange(min(PICTURED_POINTS, len(plan.dataset))))["image"]
        picture = points_picture(reals, plan.dataset.density)
    else:
        first = plan.sampler.indices(0, 1)[0, 0, :PICTURED]
        picture = grid(np.asarray(to_float(jnp.asarray(plan.dataset.gather(first)["image"]))))
    save_png(folder / "reals.png", picture)


def samples_picture(plan: Plan, sampler: ImageSampler, state: TrainState) -> np.ndarray:
    """Samples from the run's fixed latents, uint8 [h, w, C], a row for each class if there are any."""
    density = plan.dataset.density
    wanted = PICTURED if density is None else PICTURED_POINTS
    classes = plan.algorithm.num_classes or 1
    count = wanted // classes * classes or wanted
    labels, columns = class_rows(plan.algorithm, count)
    images = sampler(state, count, jax.random.fold_in(plan.key, PICTURES), labels)
    return grid(images, columns) if density is None else points_picture(images, density)
