"""The public names: what importing them costs, and that the example of each runs as it is written."""

import doctest
import inspect
import subprocess
import sys

import pytest

import gan_jax
from tests.api.conftest import run_example
from tests.cli.test_lazy_imports import HEAVY
from tests.runs import ROOT

PUBLIC = [name for name in gan_jax.__all__ if name != "__version__"]


def test_the_import_alone_imports_nothing_that_takes_long():
    code = "import sys, gan_jax; dir(gan_jax); gan_jax.UserError; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {name.partition(".")[0] for name in done.stdout.split()} & HEAVY


def test_every_name_is_there_and_listed():
    assert set(PUBLIC) <= set(dir(gan_jax))
    with pytest.raises(AttributeError, match=r"has no attribute 'trian'; it has .*train"):
        getattr(gan_jax, "trian")  # noqa: B009
    assert (ROOT / "gan_jax" / "py.typed").is_file()


def test_the_example_of_train_runs(trained):
    assert not trained[1]


def examples():
    """The other examples in the docstrings of the public names."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [
        test
        for name in PUBLIC
        if name != "train"
        for test in finder.find(getattr(gan_jax, name), f"gan_jax.{name}", globs={})
        if test.examples
    ]
    return [pytest.param(test, id=test.name) for test in found]


@pytest.mark.parametrize("example", examples())
def test_the_example_runs(example, place):
    assert not run_example(example)


@pytest.mark.parametrize("name", [name for name in PUBLIC if inspect.isfunction(getattr(gan_jax, name))])
def test_every_function_says_its_arguments_and_has_an_example(name):
    function = getattr(gan_jax, name)
    text = inspect.getdoc(function) or ""
    assert ">>> import gan_jax" in text
    for parameter in inspect.signature(function).parameters:
        assert parameter in text.partition("Args:")[2], parameter
