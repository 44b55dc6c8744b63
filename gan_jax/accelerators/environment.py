"""What JAX and its plugins must be told so that they touch no device; before JAX is imported."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Where `make install EXTRAS=accelerators` puts the compilers: apart, since with libtpu in sight JAX takes any
# machine for a TPU VM, and its CUDA plugin says at every start that there is no driver.
FOLDER = Path(sys.prefix) / "accelerators"
# What the libraries would ask, check and say while they look for devices that are not there.
DEMANDED = {
    "JAX_PLATFORMS": "cpu",
    "JAX_ENABLE_COMPILATION_CACHE": "false",  # a program for other devices cannot be read again
}
ASKED = {
    "JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # no lock: it is for processes that share a TPU
    "TPU_SKIP_MDS_QUERY": "1",  # no question to Google's metadata server
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def prepare() -> None:
    """Keeps this process away from real accelerators, and lets it see the compilers."""
    os.environ.update(DEMANDED)
    for name, value in ASKED.items():
        os.environ.setdefault(name, value)
    if FOLDER.is_dir() and str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
