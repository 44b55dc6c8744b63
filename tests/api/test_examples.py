"""The public names: what importing them costs, and that the example of each runs as it is written."""

import doctest
import inspect
import subprocess
import sys

import pytest

import gan_jax
from tests.cli.test_lazy_imports import HEAVY
from tests.runs import ROOT

PUBLIC = [name for name in gan_jax.__all__ if name != "__version__"]


def test_the_import_alone_imports_nothing_that_takes_long():
    code = "import sys, gan_jax; dir(gan_jax); gan_jax.UserError; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {name.partition(".")[0] for name in done.stdout.split()} & HEAVY


def test_every_name_is_there_and_listed():
    assert set(PUBLIC) <= set(dir(gan_jax))
    with pytest.raises(AttributeError, match="has no attribute 'trian'; it has .*train"):
        _ = gan_jax.trian


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder that is the current one, with the caches of the examples in it."""
    folder = tmp_path_factory.mktemp("examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("GAN_JAX_CACHE", str(folder / "cache"))
        patch.setenv("TFDS_DATA_DIR", str(folder / "data"))
        yield folder


def examples():
    """The examples in the docstrings of the public names, train's first: others look at its run."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [
        test
        for name in ["train", *(name for name in PUBLIC if name != "train")]
        for test in finder.find(getattr(gan_jax, name), f"gan_jax.{name}", globs={})
        if test.examples
    ]
    return [pytest.param(test, id=test.name) for test in found]


@pytest.mark.parametrize("example", examples())
def test_the_example_runs(example, place):
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    runner.run(example, out=said.append)
    assert not runner.failures, "".join(said)


@pytest.mark.parametrize("name", [name for name in PUBLIC if inspect.isfunction(getattr(gan_jax, name))])
def test_every_function_says_its_arguments_and_has_an_example(name):
    function = getattr(gan_jax, name)
    text = inspect.getdoc(function) or ""
    assert ">>> import gan_jax" in text
    for parameter in inspect.signature(function).parameters:
        assert parameter.strip("*") in text.partition("Args:")[2], parameter
