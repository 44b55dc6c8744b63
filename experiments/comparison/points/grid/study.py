"""All families on the grid.

gan-jax study experiments/comparison/points/grid --out runs/comparison/grid
"""

import runpy
from pathlib import Path

from gan_jax.study import Study

SHARED = runpy.run_path(str(Path(__file__).parents[1] / "families.py"))


def get_study() -> Study:
    question = "Which family draws twenty-five Gaussians of a grid best, for the same operations of training?"
    return SHARED["study"](question, density="grid")
