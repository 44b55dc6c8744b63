"""What a command line imports before there is anything to do, and what the flags say without the imports."""

import json
import subprocess
import sys

import pytest

from gan_jax.cli import evaluation_commands, evaluation_flags
from gan_jax.evaluation.scores import METRICS
from gan_jax.feature_networks.resize import RESIZERS
from gan_jax.main import COMMANDS
from tests.runs import ROOT

IMPORTED = """
import json, sys
from gan_jax.main import main
code = main(sys.argv[1:])
print()
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""
# Packages that take long to import; those that are allowed are small.
HEAVY = {
    *("jax", "jaxlib", "flax", "optax", "orbax", "numpy", "scipy", "matplotlib", "PIL", "clu"),
    *("tensorflow", "tensorflow_datasets", "grain", "etils", "array_record", "tqdm", "asyncio"),
}
ALLOWED = {"absl", "gan_jax", "ml_collections", "yaml"}


def imported(*arguments):
    """(the exit code of a command line, the packages that it imports)."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    code, packages = json.loads(done.stdout.splitlines()[-1])
    return code, set(packages)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--help"], 0),
        ([], 2),
        (["tain"], 2),
        (["train"], 2),
        (["train", "--config.seed=1", "--workdir=w"], 2),
        (["sample", "--workdir=w"], 2),
        (["evaluate", "--resizer=cubic"], 2),
        (["scores"], 2),
        (["study"], 2),
        (["data", "remove", "mnist"], 2),
        *(([command, "--help"], 0) for command in COMMANDS),
    ],
    ids=str,
)
def test_help_and_wrong_usage_import_nothing_that_takes_long(arguments, expected):
    code, packages = imported(*arguments)
    assert code == expected
    assert not packages & HEAVY
    ours = {name for name in packages - set(sys.stdlib_module_names) if not name.startswith("_")}
    assert ours - {"cython_runtime"} == ALLOWED


def test_a_command_that_runs_imports_what_it_needs(tmp_path):
    """The test above would pass too if nothing were ever imported."""
    code, packages = imported("info", f"--workdir={tmp_path}")
    assert code == 1
    assert {"jax", "flax", "numpy"} <= packages


def test_the_names_in_the_flags_are_those_of_the_tables():
    assert set(evaluation_flags.METRICS) == set(METRICS)
    assert set(evaluation_flags.RESIZERS) == set(RESIZERS)
    for names in (evaluation_flags.DEFAULT, evaluation_flags.OF_POINTS):
        assert set(names.split(",")) <= set(METRICS)
    assert evaluation_commands.DEFAULT is evaluation_flags.DEFAULT
