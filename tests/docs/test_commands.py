"""Every command of the documentation is one that the program understands, and its config can be filled in."""

import ast
import importlib
import runpy
from pathlib import Path

import pytest
from absl import flags

from gan_jax.config.components import complete
from gan_jax.main import COMMANDS
from tests.docs.blocks import (
    EXAMPLES,
    EXPERIMENTS,
    PAGES,
    SHELL,
    Block,
    arguments,
    blocks,
    command_lines,
    programs,
)
from tests.runs import ROOT

ALL = [*PAGES, *EXPERIMENTS, *EXAMPLES]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def place(page: Path, folder: Path) -> Path:
    """Where a page's commands are run: a clone's top folder, with the files that the page writes."""
    if page in EXAMPLES:
        return page.parent
    written = [block for block in blocks(page) if block.file]
    if not written:
        return ROOT
    for name in ("configs", "experiments"):
        (folder / name).symlink_to(ROOT / name)
    for block in written:
        (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
        (folder / block.file).write_text(block.text)
    return folder


def with_data_that_are_there(words: list[str]) -> list[str]:
    """The command line on shapes where it is on a folder or a run that the page has made before."""
    there = {
        "--data": lambda word: "shapes",
        "--config": lambda word: word.replace("runs/pictures/config.json", "dcgan_shapes"),
    }
    return [
        there[before](word) if before in there else word
        for before, word in zip(["", *words], words, strict=False)
    ]


def understood(words: list[str]) -> None:
    """Parses a command line, and fills in its config where it has one."""
    name, *rest = words
    if name.startswith("-"):
        assert words == ["--version"] or words == ["--help"]
        return
    assert name in COMMANDS, f"gan-jax has no command {name}"
    values = flags.FlagValues()
    flags.DEFINE_bool("help", False, "", flag_values=values)
    flags.DEFINE_bool("traceback", False, "", flag_values=values)
    values.set_gnu_getopt()
    values(COMMANDS[name].define(values, [f"gan-jax {name}", *rest]))
    config = values["config"].value if "config" in values else None
    if config is not None and hasattr(config, "data"):
        complete(config)


@pytest.mark.parametrize("page", ALL, ids=named)
def test_the_commands_are_understood(page, tmp_path, monkeypatch):
    monkeypatch.chdir(place(page, tmp_path))
    for block in blocks(page):
        if block.language not in SHELL:
            continue
        for line in command_lines(block.text):
            for words in programs(line):
                given = arguments(words)
                if given:
                    try:
                        understood(with_data_that_are_there([word for word in given if word != "..."]))
                    except (flags.Error, ValueError) as error:
                        pytest.fail(f"{named(page)}, line {block.line}: {line}\n{error}")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_what_python_imports_is_there(page):
    for block in blocks(page):
        if block.language == "python":
            for node in ast.walk(ast.parse(block.text)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gan_jax"):
                    module = importlib.import_module(node.module or "")
                    for alias in node.names:
                        assert hasattr(module, alias.name), f"{named(page)}: {alias.name}"


def test_the_table_of_configs_says_what_their_headers_say():
    table = runpy.run_path(str(ROOT / "docs" / "configs_table.py"))
    page = table["PAGE"].read_text()
    assert table["renewed"](page) == page, "write it anew: python docs/configs_table.py"
    with pytest.raises(ValueError, match="no row for dcgan_shapes: add "):
        table["renewed"](page.replace("| `dcgan_shapes` | The", "| dcgan_shapes | The"))


def test_blocks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "Text\n\n<!-- not run: no time -->\n```\nx\n```\n<!-- file: a/b.py -->\n\n```python\ny = 1\n```\n"
        "<!-- not run: of another block -->\ntext\n```bash\nz\n```\n"
    )
    assert blocks(page) == [
        Block(5, "", "x\n", not_run="no time"),
        Block(10, "python", "y = 1\n", file="a/b.py"),
        Block(15, "bash", "z\n"),
    ]


def test_programs():
    assert programs("A=1 gan-jax info x && mpirun sh -c 'gan-jax train --seed=2' | head") == [
        ["gan-jax", "train", "--seed=2"],
        ["A=1", "gan-jax", "info", "x"],
        ["mpirun", "sh", "-c"],
        ["head"],
    ]
    assert arguments(["A=1", "gan-jax", "info", "x"]) == ["info", "x"]
    assert arguments(["python", "-m", "gan_jax", "info"]) == ["info"]
    assert arguments(["head"]) is None
    assert list(command_lines("# a\ngan-jax x \\\n    --b   # c\n\n")) == ["gan-jax x --b"]
