"""The fenced blocks of the Markdown files, and the commands in them.

A comment above a block says what is done with it: `<!-- file: NAME -->` writes it to that file, and
`<!-- not run: WHY -->` leaves it alone. All others are run by `test_pages_run.py`.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.runs import ROOT

SHELL = ("", "bash", "sh")
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs/guides").glob("*.md")),
    *sorted((ROOT / "docs/course").glob("*.md")),
]
EXPERIMENTS = sorted((ROOT / "experiments").rglob("README.md"))
EXAMPLES = sorted((ROOT / "examples").rglob("README.md"))
COMMENT = re.compile(r"\s*<!-- (not run|file): (.+) -->")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        line: the number of its first line.
        language: what follows the fence; "" is the shell's.
        text: what is between the fences.
        not_run: why it is not run; "" where it is.
        file: what it is written to; "" where it is run.
    """

    line: int
    language: str
    text: str
    not_run: str = ""
    file: str = ""


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    found: list[Block] = []
    said: dict[str, str] = {}
    inside: list[str] | None = None
    start, language = 0, ""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            if inside is None:
                inside, start, language = [], number + 1, line.strip().strip("`")
            else:
                about = {"not run": "", "file": "", **said}
                text = "".join(f"{one}\n" for one in inside)
                found.append(Block(start, language, text, about["not run"], about["file"]))
                inside, said = None, {}
        elif inside is not None:
            inside.append(line)
        elif comment := COMMENT.fullmatch(line):
            said = {comment[1]: comment[2]}
        elif line.strip():
            said = {}
    assert inside is None, f"{page}: the block of line {start} does not end"
    return found


def command_lines(text: str) -> Iterator[str]:
    """The commands of a shell block: lines, with those that a backslash or a quote continues.

    The variable of a loop has its first value.
    """
    loops: dict[str, str] = {}
    begun = ""
    for line in text.replace("\\\n", " ").splitlines():
        begun += f" {line.split(' #')[0]}"
        if begun.count("'") % 2 == 0 and begun.strip():
            command, begun = " ".join(begun.split()), ""
            if loop := re.fullmatch(r"for (\w+) in (\S+).*; do", command):
                loops[loop[1]] = loop[2]
            elif not command.startswith("#"):
                yield re.sub(r"\$(\w+)", lambda found: loops.get(found[1], found[0]), command)


def programs(line: str) -> list[list[str]]:
    """The programs that a line of the shell starts, each with its arguments, and those in quotes."""
    tokens = shlex.shlex(line, posix=True, punctuation_chars="&|;()")
    tokens.whitespace_split = True
    tokens.commenters = ""
    found: list[list[str]] = [[]]
    for token in tokens:
        if set(token) <= set("&|;()"):
            found.append([])
        elif " gan-jax " in f" {token} " and " " in token:
            found[:0] = programs(token)
        else:
            found[-1].append(token)
    return [words for words in found if words]


def arguments(words: list[str]) -> list[str] | None:
    """What follows `gan-jax` or `python -m gan_jax`; None of another program."""
    for place, word in enumerate(words):
        if Path(word).name == "gan-jax":
            return words[place + 1 :]
        if words[place : place + 2] == ["-m", "gan_jax"]:
            return words[place + 2 :]
    return None
