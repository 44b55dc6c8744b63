"""The benchmark, as `gan-jax bench` runs it: `python experiments/speed/run.py [--works dcgan28 ...]`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gan_jax.main import cli

if __name__ == "__main__":
    sys.argv.insert(1, "bench")
    cli()
