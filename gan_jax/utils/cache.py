"""The cache folder: weights, classifiers, features of real sets, compiled programs."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "GAN_JAX_CACHE"


def cache_folder(part: str) -> Path:
    """The folder of one kind of file; it need not be there yet.

    It is below $GAN_JAX_CACHE, else $XDG_CACHE_HOME/gan_jax, else ~/.cache/gan_jax.
    """
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given).expanduser() / part
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "gan_jax" / part
