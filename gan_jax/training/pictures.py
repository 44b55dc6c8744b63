"""The pictures of a run: some of the data, and samples from the run's fixed latents, or of held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.config.build import Phase, Plan
from gan_jax.core.modules import is_conditional
from gan_jax.core.randomness import PICTURES
from gan_jax.core.state import TrainState
from gan_jax.data.codecs import Codec
from gan_jax.inference.conditions import Conditions, beside_truth, true_rows, turned_round
from gan_jax.inference.sample import ImageSampler, class_rows, make_sampler
from gan_jax.summaries.columns import strips_picture, with_column_names
from gan_jax.summaries.pictures import examples_picture, pictured_examples, save_png, with_row_names

_SEARCHED_BYTES = 2**28  # of reals that are read to fill the rows of classes
_ROWS = 16  # examples of which several pictures are shown


@dataclass(frozen=True)
class Picture:
    """A picture of examples.

    Attributes:
        pixels: uint8 [h, w, C].
        rows, columns: the names of its rows and columns; empty where they have none.
    """

    pixels: np.ndarray
    rows: Sequence[str] = ()
    columns: Sequence[str] = ()

    def named(self) -> np.ndarray:
        """With the names beside it."""
        return with_row_names(with_column_names(self.pixels, self.columns), self.rows)


def picture_of_reals(plan: Plan, folder: Path) -> None:
    """Writes the first of the data that are drawn: reals.png, and reals_NAME.png of every other field.

    Fields that show the same are beside each other in reals.png, where the method makes one of another.
    """
    if (together := _reals_beside(plan)) is not None:
        save_png(folder / "reals.png", together.named())
        return
    count = min(pictured_examples(plan.dataset.fields["image"].codec), len(plan.dataset))
    stored = _first_drawn(plan, count)
    for name, field in plan.dataset.fields.items():
        picture = _picture(stored[name][: pictured_examples(field.codec)], field.codec)
        save_png(folder / ("reals.png" if name == "image" else f"reals_{name}.png"), picture)


def _reals_beside(plan: Plan) -> Picture | None:
    """Some of the data, the fields of each example beside each other; None where that would say nothing."""
    fields = plan.dataset.fields
    alone = len(fields) < 2 or not plan.algorithm.conditions
    if alone or not all(field.aligned and field.codec.pictured for field in fields.values()):
        return None
    stored = _first_drawn(plan, min(_ROWS, len(plan.dataset)))
    decoded = {
        name: np.asarray(field.codec.decode(jnp.asarray(stored[name]))) for name, field in fields.items()
    }
    pixels, names = strips_picture({name: fields[name].codec.picture(x) for name, x in decoded.items()})
    return Picture(pixels, columns=names)


def reals_like_samples(plan: Plan) -> Picture:
    """Reals to look at beside `samples_pictures`: as many, in the same rows of classes."""
    if (together := _reals_beside(plan)) is not None:
        return together
    codec = plan.dataset.fields["image"].codec
    labels, columns = class_rows(plan.algorithm, _pictured(plan))
    if labels is None or columns is None or plan.dataset.num_classes != plan.algorithm.num_classes:
        return Picture(_picture(_first_drawn(plan, min(_pictured(plan), len(plan.dataset)))["image"], codec))
    # So many that a class of a usual share is there often enough; a rare one's row repeats what was found.
    searched = max(len(labels), min(8 * len(labels), _SEARCHED_BYTES // plan.dataset.example_bytes))
    stored = _first_drawn(plan, min(searched, len(plan.dataset)))
    rows = []
    for label, wanted in zip(*np.unique(labels, return_counts=True), strict=True):
        found = np.flatnonzero(stored["label"] == label)
        rows.append(np.resize(found if len(found) else np.arange(len(stored["label"])), wanted))
    return Picture(_picture(stored["image"][np.concatenate(rows)], codec, columns))


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


def picture_samplers(plan: Plan, phase: Phase) -> dict[str, tuple[ImageSampler, Conditions | None]]:
    """What draws a phase's pictures, and of which rows: "" as it samples, and by name other directions."""
    algorithm, conditions = phase.algorithm, plan.conditions(phase)
    samplers = {"": (make_sampler(algorithm, plan.spec, conditions), conditions)}
    for direction in algorithm.directions[1:]:
        other, spec, rows = turned_round(algorithm, conditions, direction)
        samplers[direction] = make_sampler(other, spec, rows), rows
    return samplers


def samples_pictures(
    plan: Plan, sampler: ImageSampler, state: TrainState, conditions: Conditions | None = None
) -> dict[str, Picture]:
    """Samples from the run's fixed latents, a row for each class if there are any.

    By the name of their kind, "" where the method makes one kind. Of a method that makes images of rows all
    kinds are in one picture, beside what should have been made.

    Args:
        conditions: the sampler's.
    """
    fields = (
        plan.spec.fields if conditions is None or conditions.dataset is None else conditions.dataset.fields
    )
    codec, key = fields["image"].codec, jax.random.fold_in(plan.key, PICTURES)
    if conditions is not None and codec.pictured:
        kinds = beside_truth(sampler(state, _ROWS, key), true_rows(conditions, 0, _ROWS))
        pixels, names = strips_picture({name: codec.picture(images) for name, images in kinds.items()})
        return {"": Picture(pixels, columns=names)}
    count = _pictured(plan)
    labels, columns = class_rows(plan.algorithm, count)
    made = sampler(state, count, key, labels)
    kinds = made if isinstance(made, dict) else {"": made}
    return {
        name: Picture(examples_picture(images, codec, columns), row_names(plan))
        for name, images in kinds.items()
    }
