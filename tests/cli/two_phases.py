"""The tiny run in two phases, of two batch sizes: gan-jax info --config tests/cli/two_phases.py."""

import ml_collections

from tests import runs


def get_config() -> ml_collections.ConfigDict:
    config = runs.get_config()
    config.phases = [dict(name="small", num_steps=10), dict(name="large", batch_size=16)]
    return config
