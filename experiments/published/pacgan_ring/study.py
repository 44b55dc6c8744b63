"""GAN and PacGAN2 on the ring: gan-jax study experiments/published/pacgan_ring

400,000 steps for each of ten trials, as published: `--seeds=2` does a part.
"""

import runpy
from pathlib import Path

from gan_jax.study import Study

SHARED = runpy.run_path(str(Path(__file__).parents[1] / "pacgan.py"))


def get_study() -> Study:
    question = "Do GAN and PacGAN2 reach the modes of the ring as often as in PacGAN's table 1?"
    return SHARED["study"](question, (1, 2), name="ring", radius=1.0, std=0.01, seed=0)
