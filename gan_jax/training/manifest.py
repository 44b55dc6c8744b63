"""The manifest of a checkpoint's folder: its step and the sha256 of each file, to hold what is read against.

    {"files": {"d/545d...": {"sha256": "...", "size": 460}, ...}, "step": 37500}

Those of earlier versions are the files alone: their step is only known once the arrays are read.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from gan_jax.utils.files import flush_names, flush_to_disk, write_atomically
from gan_jax.utils.untrusted import parse_json

NAME = "manifest.json"
UNFINISHED = "no manifest: the save did not finish"
_SHOWN = 5  # problems named in one message


def write(folder: Path, step: int) -> None:
    """Writes the manifest of a folder whose files are all there; a manifest that is there is whole.

    The disk has the files before it has the manifest.

    Raises:
        UserError: the disk is full or the folder cannot be written to.
    """
    contents = _contents(folder)
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                flush_to_disk(file.fileno())
        else:
            flush_names(path)
    flush_names(folder.parent)
    write_atomically(folder / NAME, _text(step, contents))


def verify(folder: Path, step: int) -> str | None:
    """None if the folder's files and this step are those of its manifest; otherwise what is wrong."""
    try:
        if not folder.is_dir():
            return "not there"
        if not any(folder.iterdir()):
            return "empty"
        if not (folder / NAME).exists():
            return UNFINISHED
        found = _contents(folder)
        stored = (folder / NAME).read_bytes()
        its_step, listed = _read(stored)
        if stored == _text(its_step, found):
            return None if its_step in (step, None) else _misnamed(its_step)
        problems = [p for name in sorted(listed.keys() | found) if (p := _problem(name, listed, found))]
    except OSError as error:
        return f"cannot be read: {error}"
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        problems = []
    return "; ".join(problems[:_SHOWN]) or f"{NAME} itself is damaged"


def misnamed(folder: Path, step: int) -> str | None:
    """What is wrong, in words, where the manifest names another step than this; its files are not read."""
    try:
        its_step, _ = _read((folder / NAME).read_bytes())
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return None
    return None if its_step in (step, None) else _misnamed(its_step)


def _misnamed(step: int | None) -> str:
    return f"it holds step {step}: a copy under another name"


def _read(stored: bytes) -> tuple[int | None, dict[str, Any]]:
    """The step of a manifest, None in one of an earlier version, and its files."""
    value = parse_json(stored)
    return (value["step"], value["files"]) if value.keys() == {"step", "files"} else (None, value)


def _problem(name: str, listed: dict[str, Any], found: dict[str, Any]) -> str | None:
    """What is wrong with one file of a step."""
    if name not in found:
        return f"file {name}: missing"
    if name not in listed:
        return f"file {name}: not in the manifest"
    if listed[name]["size"] != found[name]["size"]:
        return f"file {name}: {found[name]['size']} bytes instead of {listed[name]['size']}"
    return f"file {name}: sha256 differs" if listed[name] != found[name] else None


def _contents(folder: Path) -> dict[str, dict[str, Any]]:
    """Size in bytes and sha256 of every file under `folder` but the manifest, by relative name."""
    contents = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != NAME:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            contents[name] = {"sha256": digest, "size": path.stat().st_size}
    return contents


def _text(step: int | None, contents: dict[str, dict[str, Any]]) -> bytes:
    value = contents if step is None else {"step": step, "files": contents}
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()
