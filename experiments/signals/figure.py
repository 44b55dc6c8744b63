"""Spectrograms of training examples, of one class after the other, above those of what a run makes.

python experiments/signals/figure.py OUT.png RUN
"""

from __future__ import annotations

import sys

import jax.numpy as jnp
import numpy as np

import gan_jax
from gan_jax.config.build import open_data
from gan_jax.summaries.pictures import grid, save_picture, with_row_names

COLUMNS = 16


def main(out: str, workdir: str) -> None:
    run = gan_jax.load(workdir)
    codec = run.spec.fields["image"].codec
    dataset = open_data(run.config)
    labels = dataset.arrays()["label"]
    classes = np.arange(COLUMNS) % run.spec.num_classes  # as the run is sampled, if it is told the class
    rows = [
        np.flatnonzero(labels == kind)[column // run.spec.num_classes] for column, kind in enumerate(classes)
    ]
    stored = dataset.gather(np.array(rows))["image"]
    made = codec.encode(run.sample(COLUMNS, seed=1))  # as it is heard, also of spectrograms
    sounds = np.asarray(codec.decode(jnp.asarray(np.concatenate([stored, made]))))
    save_picture(out, with_row_names(grid(codec.picture(sounds), COLUMNS, scale=1), ["real", "made"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
