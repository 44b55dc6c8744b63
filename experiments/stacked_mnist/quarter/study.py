"""The Unrolled GAN's protocol with a discriminator of 1/4 of the widths, every variant from 50 seeds.

    gan-jax study experiments/stacked_mnist/quarter

The whole is 450 runs and wants GPUs (`--shard`); `--only dcgan,pacgan2 --seeds 3` is a part of it. The
configs and their sources are in ../protocols.py, costs and what was run in ../README.md.
"""

from __future__ import annotations

import runpy
from pathlib import Path

from gan_jax.study.study import Study

PROTOCOLS = Path(__file__).parent.parent / "protocols.py"


def get_study() -> Study:
    """The study, as `gan-jax study` asks for it."""
    study = runpy.run_path(str(PROTOCOLS))["study"]("quarter")
    assert isinstance(study, Study)
    return study
