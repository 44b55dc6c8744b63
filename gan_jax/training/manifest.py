"""The sha256 manifest of a folder: what was written, so that what is read later can be held against it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

NAME = "manifest.json"
UNFINISHED = "no manifest: the save did not finish"
_SHOWN = 5  # problems named in one message


def write(folder: Path) -> None:
    """Writes the manifest of a folder whose files are all there; a manifest that is there is whole."""
    text = _text(_contents(folder))
    temporary = folder / f"{NAME}.tmp"
    temporary.write_text(text)
    temporary.replace(folder / NAME)


def verify(folder: Path) -> str | None:
    """None if the folder's files are those of its manifest; otherwise what is wrong, in words."""
    try:
        if not folder.is_dir():
            return "not there"
        if not any(folder.iterdir()):
            return "empty"
        if not (folder / NAME).exists():
            return UNFINISHED
        found = _contents(folder)
        stored = (folder / NAME).read_bytes()
        if stored == _text(found).encode():
            return None
        listed = json.loads(stored)
        problems = [p for name in sorted(listed.keys() | found) if (p := _problem(name, listed, found))]
    except OSError as error:
        return f"cannot be read: {error}"
    except (ValueError, AttributeError, TypeError, KeyError):
        problems = []
    return "; ".join(problems[:_SHOWN]) or f"{NAME} itself is damaged"


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


def _text(contents: dict[str, dict[str, Any]]) -> str:
    return json.dumps(contents, indent=1, sort_keys=True) + "\n"
