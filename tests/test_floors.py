"""The package's floors: an import goes down, never up, never in a circle."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# From the top; folders of one floor do not import each other.
FLOORS = (
    ("__main__",),
    ("main",),
    ("cli",),
    ("api",),
    ("study", "accelerators"),
    ("training",),
    ("explorer",),
    ("reports",),
    ("config",),
    ("latent_tools",),
    ("evaluation",),
    ("summaries",),
    ("metrics",),
    ("feature_networks",),
    ("inference",),
    ("theory",),
    ("distributed",),
    ("algorithms",),
    ("losses", "augment", "models", "data"),
    ("densities",),
    ("core",),
    ("optim",),
    ("utils",),
)
FLOOR = {folder: number for number, folders in enumerate(FLOORS) for folder in folders}


def module_of(file):
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(file): file for file in (ROOT / "gan_jax").rglob("*.py")}


def imported(file):
    """The modules of the package that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else node.module


IMPORTS = {name: set(imported(file)) - {name} for name, file in MODULES.items()}


def folder(module):
    return module.split(".")[1]


def test_every_folder_has_a_floor():
    assert {folder(module) for module in MODULES if "." in module} == set(FLOOR)


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"gan_jax"}))
def test_imports_go_down(module):
    own = folder(module)
    wrong = {
        other
        for other in IMPORTS[module] - {"gan_jax"}
        if folder(other) != own and FLOOR[folder(other)] <= FLOOR[own]
    }
    assert not wrong, f"{module} is on the floor of {own} and imports {', '.join(sorted(wrong))}"


def test_no_import_closes_a_circle():
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        pytest.fail(f"these import each other: {' -> '.join(error.args[1])}")


def test_only_main_stands_at_the_top():
    assert {file.name for file in (ROOT / "gan_jax").glob("*.py")} == {
        "__init__.py",
        "__main__.py",
        "main.py",
    }
