"""The plain GAN on the ring at other learning rates: gan-jax study experiments/mode_collapse/rates"""

import runpy
from pathlib import Path

from gan_jax.study import Study

SHARED = runpy.run_path(str(Path(__file__).parents[1] / "remedies.py"))


def get_study() -> Study:
    rates = (1e-4, 3e-4, 1e-3, 2e-3)
    return Study(
        question="How much of the collapse on the ring is a matter of the learning rate?",
        base=SHARED["base"](3e-4, name="ring", num_examples=100_000, seed=0),
        variants={f"{rate:g}": SHARED["both_optimizers"](learning_rate=rate) for rate in rates},
        seeds=20,
        ranked_by=("modes_reached", "high_quality", "reverse_kl", "sliced_wasserstein_1"),
        compare_to="0.0003",
    )
