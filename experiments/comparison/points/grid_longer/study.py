"""Four families on the grid, for four times the operations.

gan-jax study experiments/comparison/points/grid_longer --out runs/comparison/grid_longer
"""

import runpy
from pathlib import Path

from gan_jax.study import Study

SHARED = runpy.run_path(str(Path(__file__).parents[1] / "families.py"))


def get_study() -> Study:
    question = "And with four times the operations?"
    only = ("gan", "gan_r1_r2", "wgan_gp", "edm")
    return SHARED["study"](question, density="grid", operations=4 * SHARED["OPERATIONS"], only=only)
