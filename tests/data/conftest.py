"""Small IDX files, and a data folder per test: nothing is written to the home folder."""

import gzip
import hashlib
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gan_jax.data.idx import Mnist

SHARED = Path(__file__).parents[3] / "shared" / "data"  # beside the checkout, on some machines
EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.fixture(autouse=True)
def data_dir(tmp_path, monkeypatch):
    """The data folder of every test here, by way of TFDS_DATA_DIR."""
    folder = tmp_path / "tfds"
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder))
    return folder


def idx_bytes(array):
    """An IDX file, written by its definition."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def tiny_mnist(tmp_path, monkeypatch):
    """A folder of four tiny .gz files in MNIST's form, whose digests stand in for MNIST's."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "files"
    folder.mkdir()
    digests = {}
    for name, split_size in (("train", 30), ("t10k", 20)):
        for kind, shape in (("images-idx3", (split_size, 28, 28)), ("labels-idx1", (split_size,))):
            content = idx_bytes(rng.integers(0, 256 if len(shape) == 3 else 10, shape, dtype=np.uint8))
            digests[f"{name}-{kind}-ubyte"] = hashlib.sha256(content).hexdigest()
            (folder / f"{name}-{kind}-ubyte.gz").write_bytes(gzip.compress(content))
    monkeypatch.setattr(Mnist, "DIGESTS", digests)
    return folder


@pytest.fixture(scope="session")
def emoji(tmp_path_factory):
    """The folder that experiments/emoji/prepare.py makes of the archives."""
    if not (SHARED / "openmoji").is_dir():
        pytest.skip("the emoji are not in ../shared/data")
    out = tmp_path_factory.mktemp("emoji")
    script = EXPERIMENTS / "emoji" / "prepare.py"
    subprocess.run([sys.executable, script, "--from", SHARED, "--out", out], check=True, capture_output=True)
    return out
