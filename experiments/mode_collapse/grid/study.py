"""All remedies on the grid: gan-jax study experiments/mode_collapse/grid"""

import runpy
from pathlib import Path

from gan_jax.study import Study

SHARED = runpy.run_path(str(Path(__file__).parents[1] / "remedies.py"))


def get_study() -> Study:
    question = "Which remedy keeps a GAN on all twenty-five Gaussians of a grid?"
    return SHARED["study"](question, rate=2e-3, name="grid", num_examples=100_000, seed=0)
