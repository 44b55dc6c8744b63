"""Paths as people write them: `~` is a home folder on the command line, in configs and in Python."""

from __future__ import annotations

import os
from pathlib import Path

from gan_jax.utils.errors import UserError


def expanded(path: str | Path) -> Path:
    """The path, with the home folder in the place of a leading `~` or `~NAME`.

    Raises:
        UserError: there is no such home folder, as where a container's user has none.
    """
    path, own = Path(path), home()
    is_own = path.parts[:1] == ("~",)
    try:
        if not is_own:
            return path.expanduser()
        if own is not None:
            return own.joinpath(*path.parts[1:])
    except RuntimeError:
        pass
    raise UserError(
        f"{path}: no home folder is known for it (HOME is not set, or there is no such user): write the "
        "whole path"
    )


def home() -> Path | None:
    """The user's home folder; None where there is none: HOME is empty, or not set for an unknown user."""
    try:
        return Path.home() if os.environ.get("HOME") != "" else None
    except RuntimeError:
        return None
