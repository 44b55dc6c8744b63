"""All remedies on the ring: gan-jax study experiments/mode_collapse/ring"""

import runpy
from pathlib import Path

from gan_jax.study import Study

SHARED = runpy.run_path(str(Path(__file__).parents[1] / "remedies.py"))


def get_study() -> Study:
    question = "Which remedy keeps a GAN on all eight Gaussians of a ring?"
    return SHARED["study"](question, rate=3e-4, name="ring", num_examples=100_000, seed=0)
