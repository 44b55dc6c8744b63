"""The pictures of a run: some of the data, and samples from the run's fixed latents."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.config.build import Plan
from gan_jax.core.modules import is_conditional
from gan_jax.core.randomness import PICTURES
from gan_jax.core.state import TrainState
from gan_jax.data.codecs import Codec
from gan_jax.inference.sample import ImageSampler, class_rows
from gan_jax.summaries.pictures import examples_picture, pictured_examples, save_png

_SEARCHED_BYTES = 2**28  # of reals that are read to fill the rows of classes


def picture_of_reals(plan: Plan, folder: Path) -> None:
    """Writes the first of the data that are drawn: reals.png, and reals_NAME.png of every other field."""
    count = min(pictured_examples(plan.dataset.fields["image"].codec), len(plan.dataset))
    stored = _first_drawn(plan, count)
    for name, field in plan.dataset.fields.items():
        picture = _picture(stored[name][: pictured_examples(field.codec)], field.codec)
        save_png(folder / ("reals.png" if name == "image" else f"reals_{name}.png"), picture)


def reals_like_samples(plan: Plan) -> np.ndarray:
    """Reals to look at beside `samples_pictures`, uint8 [h, w, C]: as many, in the same rows of classes."""
    codec = plan.dataset.fields["image"].codec
    labels, columns = class_rows(plan.algorithm, _pictured(plan))
    if labels is None or columns is None or plan.dataset.num_classes != plan.algorithm.num_classes:
        return _picture(_first_drawn(plan, min(_pictured(plan), len(plan.dataset)))["image"], codec)
    # So many that a class of a usual share is there often enough; a rare one's row repeats what was found.
    searched = max(len(labels), min(8 * len(labels), _SEARCHED_BYTES // plan.dataset.example_bytes))
    stored = _first_drawn(plan, min(searched, len(plan.dataset)))
    rows = []
    for label, wanted in zip(*np.unique(labels, return_counts=True), strict=True):
        found = np.flatnonzero(stored["label"] == label)
        rows.append(np.resize(found if len(found) else np.arange(len(stored["label"])), wanted))
    return _picture(stored["image"][np.concatenate(rows)], codec, columns)


def row_names(plan: Plan) -> tuple[str, ...]:
    """The names of the classes that the rows of `samples_pictures` show; empty without such rows."""
    labels, columns = class_rows(plan.algorithm, _pictured(plan))
    named = labels is not None and columns is not None and is_conditional(plan.algorithm.generator)
    return plan.dataset.class_names if named else ()


def _pictured(plan: Plan) -> int:
    """How many samples `samples_pictures` shows: the same number of each class where it can be."""
    wanted = pictured_examples(plan.spec.fields["image"].codec)
    classes = plan.algorithm.num_classes or 1
    return wanted // classes * classes or wanted


def _first_drawn(plan: Plan, count: int) -> dict[str, np.ndarray]:
    """The first examples that the run draws, as stored."""
    sampler = plan.phases[0].sampler
    return plan.dataset.gather(sampler.minibatch(0, -(-count // sampler.batch_size)).ravel()[:count])


def _picture(stored: np.ndarray, codec: Codec, columns: int | None = None) -> np.ndarray:
    return examples_picture(np.asarray(codec.decode(jnp.asarray(stored))), codec, columns)


def samples_pictures(plan: Plan, sampler: ImageSampler, state: TrainState) -> dict[str, np.ndarray]:
    """Samples from the run's fixed latents, uint8 [h, w, C], a row for each class if there are any.

    By the name of their kind, "" where the method makes one kind.
    """
    codec = plan.spec.fields["image"].codec
    count = _pictured(plan)
    labels, columns = class_rows(plan.algorithm, count)
    made = sampler(state, count, jax.random.fold_in(plan.key, PICTURES), labels)
    kinds = made if isinstance(made, dict) else {"": made}
    return {name: examples_picture(images, codec, columns) for name, images in kinds.items()}
