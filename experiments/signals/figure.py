"""Spectrograms of training examples above those of what a run of tones makes.

python experiments/signals/figure.py OUT.png RUN
"""

from __future__ import annotations

import sys

import jax.numpy as jnp
import numpy as np

import gan_jax
from gan_jax.summaries.pictures import grid, save_picture, with_row_names

COLUMNS = 16


def main(out: str, workdir: str) -> None:
    run = gan_jax.load(workdir)
    options = {name: run.config.data[name] for name in ("length", "rate", "form", "seed")}
    codec = run.spec.fields["image"].codec
    stored = gan_jax.load_dataset("tones", **options).gather(np.arange(COLUMNS))["image"]
    made = codec.encode(run.sample(COLUMNS, seed=1))  # as it is heard, also of spectrograms
    sounds = np.asarray(codec.decode(jnp.asarray(np.concatenate([stored, made]))))
    save_picture(out, with_row_names(grid(codec.picture(sounds), COLUMNS, scale=1), ["real", "made"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
