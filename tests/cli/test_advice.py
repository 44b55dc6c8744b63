"""No command advises a flag that it does not have, nor a file or command that is not there."""

import ast
import functools
import re
from pathlib import Path

import pytest
from absl import flags

from gan_jax.main import COMMANDS, USAGE
from tests.runs import ROOT

FLAG = re.compile(r"(?<![\w-])--(\w+(?:\.\w+)*)")
OTHERS = ("xla", "logdir")  # of XLA and TensorBoard
COMMAND = re.compile(r"gan-jax ([a-z-]+)")
# Which commands can come to the messages of these modules; of all others every command can, so that they
# speak of fields ("batch_size", "num_real") and name a flag only within a whole command ("gan-jax data
# prepare mnist --from FOLDER").
READERS = {
    "gan_jax/config/config_flag.py": {"train"},
    "gan_jax/config/config_file.py": {"train"},
    "gan_jax/config/choices.py": {"train"},
    "gan_jax/config/shipped.py": {"train"},  # commands in headers
    "gan_jax/config/similar_fields.py": {"train"},
    "gan_jax/distributed/hosts": {"train"},
    "gan_jax/study": {"study"},
    "gan_jax/utils/determinism.py": {"train", "study"},
    "gan_jax/utils/provenance.py": set(),  # of git
    "gan_jax/data/prepared.py": {"data"},  # a part of "gan-jax data prepare"
    "gan_jax/inference/samplers.py": {"sample", "evaluate"},
    "gan_jax/data/classes.py": {"sample", "interpolate", "mix", "project", "walk"},
}


@functools.cache
def flags_of(command: str) -> frozenset[str]:
    values = flags.FlagValues()
    COMMANDS[command].define(values, [f"gan-jax {command}"])
    return frozenset(values) | {"help", "traceback"}


def has(command: str, flag: str) -> bool:
    return flag in flags_of(command) or (flag.startswith("config.") and "config" in flags_of(command))


def texts(path: Path) -> list[str]:
    """The string literals of a module, those in one expression together, without docstrings."""
    tree = ast.parse(path.read_text())
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    inner: set[int] = set()
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [p.value if isinstance(p, ast.Constant) else "{}" for p in node.values]
            inner |= {id(part) for part in ast.walk(node)} - {id(node)}
            found.append("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs | inner:
            found.append(node.value)
    return found


def test_flags_in_messages_are_those_of_the_command():
    wrong = []
    for path in sorted((ROOT / "gan_jax").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(("gan_jax/cli", "gan_jax/main")):
            continue  # see below
        commands = next((found for start, found in READERS.items() if name.startswith(start)), set(COMMANDS))
        for text in texts(path):
            for found in FLAG.finditer(text):
                named = COMMAND.findall(text[: found.start()])
                readers = {named[-1]} if named else commands
                if not found[1].startswith(OTHERS) and not all(has(reader, found[1]) for reader in readers):
                    wrong.append(f"{name}: --{found[1]} in {text[:90]!r}")
    assert not wrong, "\n".join(wrong)


def test_flags_in_the_messages_of_the_command_line_are_its_own():
    """A module of commands has functions of several: its flags must be somebody's."""
    for path in [*(ROOT / "gan_jax" / "cli").glob("*.py"), ROOT / "gan_jax" / "main.py"]:
        for text in texts(path):
            for found in FLAG.finditer(text):
                named = COMMAND.findall(text[: found.start()])
                readers = {named[-1]} if named and named[-1] in COMMANDS else set(COMMANDS)
                if found[1] not in ("flag", "config.field", "version"):
                    assert any(has(reader, found[1]) for reader in readers), f"{path.name}: --{found[1]}"


def test_the_help_names_what_is_there():
    for line in USAGE.splitlines():
        if named := re.search(r"gan-jax ([a-z-]+) ", line):
            assert named[1] in COMMANDS or named[1] == "COMMAND"
        for path in re.findall(r"(?:configs|experiments)/[\w/.]+", line):
            assert (ROOT / path).exists(), path
        if study := re.search(r"gan-jax study (\S+)", line):
            assert (ROOT / study[1] / "study.py").is_file()


@pytest.mark.parametrize(
    ("command", "message", "fine"),
    [
        ("train", "set --config.seed=1", True),
        ("scores", "set --config.seed=1", False),
        ("evaluate", "give --num_real", True),
        ("train", "give --num_real", False),
    ],
)
def test_has(command, message, fine):
    assert all(has(command, found[1]) for found in FLAG.finditer(message)) is fine
