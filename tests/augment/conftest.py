"""Augmentations are many small programs: compiling them is what takes the time."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def compiled_quickly(quick_compiler):
    """For every module here."""
