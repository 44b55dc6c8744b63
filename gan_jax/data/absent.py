"""What messages say of a file or folder of data that is not there."""

from __future__ import annotations

from pathlib import Path

_EXAMPLES = ("emoji", "kodak")  # folders that a script of this library makes, for the configs that name them


def not_there(path: Path) -> str:
    """The words "not there", with the script that makes it where an example's config names it."""
    name = path.parent.name
    if name not in _EXAMPLES:
        return "not there"
    return f"not there: experiments/{name}/prepare.py makes it, as its first lines say"
