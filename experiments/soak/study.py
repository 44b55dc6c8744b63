"""A study for the soak test: small, so that nearly all of its life is starts, stops and saves."""

from __future__ import annotations

from gan_jax.config.build import base_config
from gan_jax.study.study import Study

STEPS = 5000


def get_study() -> Study:
    """Two variants that share a program and one of its own, two seeds each: an MLP GAN on a ring."""
    base = base_config()
    base.batch_size = 16
    base.num_steps = STEPS
    base.steps_per_call = 5
    base.log_every_steps = 25
    base.checkpoint_every_steps = 60
    base.data.update(name="ring", num_examples=500, seed=0)
    base.algorithm = dict(name="gan", latent_size=2)
    base.penalties = dict(r1=dict(weight=0.1, every=4))
    base.ema = dict(name="decay", decay=0.99)
    base.generator = dict(name="mlp_generator", widths=(16,), norm="batch", output="linear")
    base.discriminator = dict(name="mlp_discriminator", widths=(16,), dropout=0.3)
    base.generator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.5)
    base.discriminator_optimizer = dict(name="adam", learning_rate=1e-3, b1=0.5)
    base.evaluation.update(metrics="density", every_steps=50, num=128)
    return Study(
        question="Does a study survive being killed?",
        base=base,
        variants={
            "base": {},
            "fast": {"generator_optimizer.learning_rate": 3e-3},
            "hinge": {"loss.name": "hinge"},
        },
        seeds=2,
        ranked_by=("high_quality",),
        compare_to="base",
    )
