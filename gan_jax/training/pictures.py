"""The pictures of a run: some of the data, and samples from the run's fixed latents."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.config.build import Plan
from gan_jax.core.randomness import PICTURES
from gan_jax.core.state import TrainState
from gan_jax.inference.sample import ImageSampler, class_rows
from gan_jax.summaries.pictures import examples_picture, pictured_examples, save_png


def picture_of_reals(plan: Plan, folder: Path) -> None:
    """Writes the first of the data that are drawn: reals.png, and reals_NAME.png of every other field."""
    fields = plan.dataset.fields
    count = min(pictured_examples(fields["image"].codec), len(plan.dataset))
    sampler = plan.phases[0].sampler
    indices = sampler.minibatch(0, -(-count // sampler.batch_size)).ravel()[:count]
    stored = plan.dataset.gather(indices)
    for name, field in fields.items():
        shown = np.asarray(field.codec.decode(jnp.asarray(stored[name][: pictured_examples(field.codec)])))
        picture = examples_picture(shown, field.codec)
        save_png(folder / ("reals.png" if name == "image" else f"reals_{name}.png"), picture)


def samples_pictures(plan: Plan, sampler: ImageSampler, state: TrainState) -> dict[str, np.ndarray]:
    """Samples from the run's fixed latents, uint8 [h, w, C], a row for each class if there are any.

    By the name of their kind, "" where the method makes one kind.
    """
    codec = plan.spec.fields["image"].codec
    wanted, classes = pictured_examples(codec), plan.algorithm.num_classes or 1
    count = wanted // classes * classes or wanted
    labels, columns = class_rows(plan.algorithm, count)
    made = sampler(state, count, jax.random.fold_in(plan.key, PICTURES), labels)
    kinds = made if isinstance(made, dict) else {"": made}
    return {name: examples_picture(images, codec, columns) for name, images in kinds.items()}
