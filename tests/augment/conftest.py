"""Augmentations are many small programs: compiling them is what takes the time."""

import jax
import pytest


@pytest.fixture(scope="module", autouse=True)
def quick_compiler():
    """Half the compile time; how well the code is optimised is not what is tested here."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
