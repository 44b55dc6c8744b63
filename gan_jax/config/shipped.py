"""The shipped configs: where they lie, and what their headers say of them.

In a clone they are in configs/ beside the package, in an installed wheel inside it (see setup.py). Nothing is
imported or run to list them: the text of a header is all there is.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

_DURATION = re.compile(
    r"(?:about )?(?:[Hh]alf )?[\w,]+(?: to \d+)? (?:s|seconds|minutes|hours?) "
    r"on [^.;,:()]*\b(?:x86|GPU)\b[^.;,:()]*"
)
_UNTRAINED = re.compile(r"not trained[^.;,:()]*|needs \w+ GPUs?\b[^.;,:()]*", re.IGNORECASE)
_TRAIN = "gan-jax train "


@dataclass(frozen=True)
class Shipped:
    """What the header of a shipped config says.

    Attributes:
        usage: what `--config` takes: its name, with an example of an argument where it has one ("srgan:2").
        about: the header's first line.
        needs: the commands that come before the training, and the flags that it needs.
        time: how long it takes and on what, or that nobody has trained it; "" where the header is silent.
        header: all of it.
    """

    usage: str
    about: str
    needs: tuple[str, ...]
    time: str
    header: str


def folder() -> Path:
    """The folder of the shipped configs."""
    package = Path(__file__).parents[1]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def names() -> list[str]:
    """The names of the shipped configs, in alphabetical order."""
    return sorted(path.stem for path in folder().glob("*.py") if path.stem.isidentifier())


def read(name: str) -> Shipped:
    """What the header of a shipped config says."""
    header = ast.get_docstring(ast.parse((folder() / f"{name}.py").read_text())) or ""
    first, _, rest = header.partition("\n")
    commands = _commands(rest)
    at = next((place for place, command in enumerate(commands) if command.startswith(_TRAIN)), len(commands))
    training = commands[at].split() if at < len(commands) else []
    usage = training[training.index("--config") + 1] if "--config" in training else name
    flags = [word for word in training if word.startswith("--config.")]
    text = " ".join(rest.split())
    found = _DURATION.findall(text)[:1] or _UNTRAINED.findall(text)
    return Shipped(
        usage, first, (*commands[:at], *flags), ", ".join(found).strip().replace("Not ", "not "), header
    )


def _commands(text: str) -> list[str]:
    """The indented lines of a header, without comments; a line that ends in a backslash goes on."""
    lines = text.replace("\\\n", " ").splitlines()
    return [" ".join(line.split(" #")[0].split()) for line in lines if line.startswith("    ")]
