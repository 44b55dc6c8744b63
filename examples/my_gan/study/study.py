"""Does the margin matter? Three margins, five seeds each: gan-jax study study"""

import runpy
from pathlib import Path

from gan_jax.study import Study, grid

CONFIG = runpy.run_path(str(Path(__file__).parents[1] / "config.py"))


def get_study() -> Study:
    """The config of this repository with other margins."""
    base = CONFIG["get_config"]()
    base.num_steps = 1_000
    base.evaluation.update(metrics="fid", network="random", num=500, every_steps=500)
    return Study(
        question="Does the margin of the hinge loss matter?",
        base=base,
        variants=grid({"loss.margin": [0.5, 1.0, 2.0]}),
        seeds=5,
        ranked_by=["fid"],
    )
