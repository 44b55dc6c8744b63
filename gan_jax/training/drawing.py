"""A grid of samples of a run, drawn anew from its newest checkpoint."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np

from gan_jax.inference.conditions import beside_truth, true_rows
from gan_jax.inference.sample import class_rows, compared_kind, make_sampler
from gan_jax.summaries.columns import strips_picture, with_column_names
from gan_jax.summaries.pictures import examples_picture, pictured_examples
from gan_jax.training.restore import restored_run, run_conditions

_ROWS = 16  # examples of which several pictures are shown


def drawn_grid(workdir: Path, seed: int) -> tuple[int, np.ndarray]:
    """The step of a run's newest good checkpoint, and a picture of samples from the latents of this seed.

    Returns:
        the step; uint8 [h, w, C], a row for each class where the method has classes. Of a method that makes
        images of given ones, some held-out rows with what is made of them.

    Raises:
        UserError: there is no checkpoint; the data of a method that reads some are not there.
    """
    algorithm, spec, state = restored_run(workdir)
    codec, key = spec.fields["image"].codec, jax.random.key(seed)
    conditions = run_conditions(workdir, algorithm)
    sampler = make_sampler(algorithm, spec, conditions)
    if conditions is not None and codec.pictured:
        kinds = beside_truth(sampler(state, _ROWS, key), true_rows(conditions, 0, _ROWS))
        pixels, names = strips_picture({name: codec.picture(images) for name, images in kinds.items()})
        return int(state.step), with_column_names(pixels, names)
    count, classes = pictured_examples(codec), algorithm.num_classes or 1
    count = count // classes * classes or count
    labels, columns = class_rows(algorithm, count)
    made = compared_kind(sampler(state, count, key, labels))
    return int(state.step), examples_picture(made, codec, columns)
