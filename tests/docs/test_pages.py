"""What the Markdown files say: whole tables, links that lead somewhere, flags that the commands have."""

import re
from pathlib import Path

import pytest

from gan_jax.main import COMMANDS
from tests.cli.test_advice import has
from tests.runs import ROOT
from tests.test_floors import FLOOR

FILES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "experiments").rglob("README.md")),
    *sorted((ROOT / "examples").rglob("README.md")),
]


def blocks(text: str) -> list[list[str]]:
    """Runs of lines that begin with a bar."""
    found: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [block for block in found if block]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_tables_links_and_flags(path: Path):
    text = path.read_text()
    for block in blocks(text):
        assert len(block) > 2, f"a table without a head, or cut off: {block[0][:80]}"
        assert re.fullmatch(r"[|\s:-]+", block[1]), f"no rule below a table's head: {block[0][:80]}"
        bars = {re.sub(r"\\\||`[^`]*`", "", line).count("|") for line in block}
        assert len(bars) == 1, f"rows of different lengths: {block[0][:80]}"
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        assert target.startswith("http") or (path.parent / target).exists(), target
    for line in text.replace("\\\n", " ").splitlines():
        for command, arguments in re.findall(r"gan-jax ([a-z-]+)((?: [^`;|()]*)?)", line):
            if command in COMMANDS:
                for flag in re.findall(r"(?<![\w-])--(\w+(?:\.\w+)*)", arguments):
                    assert has(command, flag), f"gan-jax {command} has no --{flag}: {line[:100]}"


def test_every_command_and_floor_is_on_its_page():
    commands = (ROOT / "docs" / "commands.md").read_text()
    assert [name for name in COMMANDS if f"`{name}`" not in commands.partition("## train")[0]] == []
    built = (ROOT / "docs" / "how_it_is_built.md").read_text()
    assert [name for name in FLOOR if f"`{name}/`" not in built and f"`{name}.py`" not in built] == []


def test_every_page_is_in_the_navigation():
    listed = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if not re.search(rf"[ :-] {page}$", listed, re.MULTILINE)] == []
