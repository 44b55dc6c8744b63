"""A study so small that a test can afford many."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ml_collections

from gan_jax.config.build import base_config
from gan_jax.study.results import RESULTS
from gan_jax.study.study import Study

STEPS = 12


def config() -> ml_collections.ConfigDict:
    """A GAN of 8 units on the ring; the intervals divide neither each other nor the steps of a call."""
    base = base_config()
    base.batch_size = 8
    base.num_steps = STEPS
    base.steps_per_call = 4
    base.log_every_steps = 3
    base.checkpoint_every_steps = 5
    base.data.update(name="ring", num_examples=44, seed=0)
    base.algorithm = dict(name="gan", latent_size=2)
    base.penalties = dict(r1=dict(weight=0.1, every=2))
    base.ema = dict(name="decay", decay=0.9)
    base.generator = dict(name="mlp_generator", widths=(8,), norm="batch", output="linear")
    base.discriminator = dict(name="mlp_discriminator", widths=(8,), dropout=0.3)
    base.generator_optimizer = dict(name="adam", learning_rate=1e-2, b1=0.5)
    base.discriminator_optimizer = dict(name="adam", learning_rate=1e-2, b1=0.5)
    base.evaluation.update(metrics="density", every_steps=6, num=64)
    return base


def study(**changes: Any) -> Study:
    """Two variants that share a program and one of its own, three seeds."""
    fields: dict[str, Any] = dict(
        question="Does it work?",
        base=config(),
        variants={
            "base": {},
            "fast": {"generator_optimizer.learning_rate": 3e-2, "penalties.r1.weight": 0.3},
            "hinge": {"loss.name": "hinge"},
        },
        seeds=3,
        ranked_by=("high_quality", "sliced_wasserstein_1"),
        compare_to="base",
    )
    return Study(**{**fields, **changes})


def rows(folder: Path, file: str = RESULTS) -> list[dict[str, Any]]:
    """The results without what depends on the time."""
    lines = (folder / file).read_text().splitlines()
    return [
        {name: value for name, value in json.loads(line).items() if name not in ("seconds", "environment")}
        for line in lines
    ]
