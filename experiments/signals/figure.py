"""Spectrograms of training examples above those of what a run of sounds makes, class by class.

python experiments/signals/figure.py OUT.png RUN
"""

from __future__ import annotations

import sys

import jax.numpy as jnp
import numpy as np

import gan_jax
from gan_jax.config.build import open_data
from gan_jax.summaries.pictures import grid, save_picture, with_row_names

COLUMNS = 16  # at least; each class has equally many


def main(out: str, workdir: str) -> None:
    run = gan_jax.load(workdir)
    codec = run.spec.fields["image"].codec
    dataset = open_data(run.config)
    labels, classes = dataset.arrays()["label"], dataset.spec.num_classes
    assert classes is not None
    each = -(-COLUMNS // classes)
    rows = np.concatenate([np.flatnonzero(labels == kind)[:each] for kind in range(classes)])
    stored = dataset.gather(rows)["image"]
    made = codec.encode(run.sample(len(rows), seed=1))  # as it is heard, also of spectrograms
    sounds = np.asarray(codec.decode(jnp.asarray(np.concatenate([stored, made]))))
    save_picture(out, with_row_names(grid(codec.picture(sounds), len(rows), scale=1), ["real", "made"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
