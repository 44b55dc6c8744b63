"""All families on the spiral.

gan-jax study experiments/comparison/points/spiral --out runs/comparison/spiral
"""

import runpy
from pathlib import Path

from gan_jax.study import Study

SHARED = runpy.run_path(str(Path(__file__).parents[1] / "families.py"))


def get_study() -> Study:
    question = "Which family draws two spirals best, for the same operations of training?"
    return SHARED["study"](question, density="spiral")
