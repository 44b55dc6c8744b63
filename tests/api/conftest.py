"""The run of the example of `gan_jax.train`, at which the other examples and tests look."""

import contextlib
import doctest
from unittest import mock

import jax
import pytest

import gan_jax
from gan_jax.distributed import parallel
from gan_jax.training import callbacks as periodic
from tests.runs import note_overview


def run_example(example: doctest.DocTest) -> str:
    """What was not as the example says; empty where all was."""
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(example, out=said.append)
    return "".join(said)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """(the folder in which runs/small is, what went wrong in the example that trains it)."""
    folder, make_mesh = tmp_path_factory.mktemp("examples"), parallel.make_mesh
    [example] = doctest.DocTestFinder().find(gan_jax.train, "gan_jax.train", globs={})
    with (
        contextlib.chdir(folder),
        mock.patch.object(periodic, "overview", note_overview),
        mock.patch.object(
            parallel, "make_mesh", lambda devices=None: make_mesh(devices or jax.devices()[:1])
        ),
    ):
        wrong = run_example(example)
    return folder, wrong


@pytest.fixture
def place(trained, monkeypatch):
    """A folder that is the current one, with the caches of the examples in it, and runs/small."""
    folder = trained[0]
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GAN_JAX_CACHE", str(folder / "cache"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder / "data"))
    return folder
