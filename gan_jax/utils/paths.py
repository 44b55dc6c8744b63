"""Paths as people write them: `~` is a home folder on the command line, in configs and in Python."""

from __future__ import annotations

from pathlib import Path

from gan_jax.utils.errors import UserError


def expanded(path: str | Path) -> Path:
    """The path, with the home folder in the place of a leading `~` or `~NAME`.

    Raises:
        UserError: there is no such home folder, as where a container's user has none.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(
            f"{path}: no home folder is known for it (HOME is not set, or there is no such user): "
            "write the whole path"
        ) from None


def home() -> Path | None:
    """The user's home folder; None where there is none: no HOME, no entry in the list of users."""
    try:
        return Path.home()
    except RuntimeError:
        return None
