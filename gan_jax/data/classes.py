"""Classes by their names: on two sides of a comparison, on the command line, in messages and in folders.

A class is its name where there is one, and its number (the label) only where there is none: two sets may
count the same classes in different orders.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from gan_jax.utils.errors import UserError
from gan_jax.utils.names import did_you_mean, listed, natural_order

_SHOWN = 20  # classes in one line


def plain_name(name: str) -> str:
    """What a name has in common with its other spellings: "Ankle boot" is ankle_boot, "007" is 7."""
    text = unicodedata.normalize("NFKC", name).casefold()
    if text.isascii() and text.isdigit():
        return text.lstrip("0") or "0"
    return "_".join(re.findall(r"^-(?=\d)|[^\W_]+|[+#]+", text)) or name


def plain_names(names: Sequence[str]) -> tuple[str, ...]:
    """`plain_name` of each; the names themselves where two would become the same."""
    plain = tuple(map(plain_name, names))
    return plain if len(set(plain)) == len(plain) else tuple(names)


def matching(names: Sequence[str], to: Sequence[str]) -> list[int]:
    """For each of `names` the number of the class in `to` that is called the same; spellings may differ.

    Raises:
        ValueError: they are not the same classes; it lists those that only one side has.
    """
    for spelled in (tuple, plain_names):
        mine, others = spelled(names), spelled(to)
        if set(mine) == set(others):
            return [others.index(name) for name in mine]
    here = [name for name, known in zip(names, mine, strict=True) if known not in others]
    there = [name for name, known in zip(to, others, strict=True) if known not in mine]
    raise ValueError(
        f"{listed(natural_order(here), 5) or 'nothing'} in the one and "
        f"{listed(natural_order(there), 5) or 'nothing'} in the other"
    )


def labels_named(text: str, names: Sequence[str], num_classes: int, *, flag: str = "label") -> list[int]:
    """The labels that a user named, with commas between: by their names where they have some, or by number.

    Args:
        text: "cat", "cat,dog", "3", "0,3", or "all" unless a class is called so.
        names: of the classes, in order; empty where they have none.
        num_classes: of the labels.
        flag: what the message calls it.

    Raises:
        UserError: no such class, with the choices.
    """
    if text == "all" and text not in names:
        return list(range(num_classes))
    parts = [text] if text in names else [part.strip() for part in text.split(",")]
    found = []
    for part in parts:
        label = _find(part, names)
        # Where numbers are the names, a number is a name.
        numbers = not names or not all(name.isdigit() for name in names)
        if label is None and numbers and part.isascii() and part.isdigit() and int(part) < num_classes:
            label = int(part)
        if label is None:
            choices = described(names) if names else f"0 to {num_classes - 1}"
            raise UserError(
                f"--{flag}={text}: there is no class {part!r}{did_you_mean(part, names)}; the classes are "
                f"{choices}"
            )
        found.append(label)
    return found


def _find(name: str, names: Sequence[str]) -> int | None:
    if name in names:
        return list(names).index(name)
    plain = plain_names(names)
    return plain.index(plain_name(name)) if plain_name(name) in plain else None


def described(names: Sequence[str]) -> str:
    """The classes with their labels, in a line: "0 cat, 1 dog"; "0 to 9" where the names are the labels."""
    if list(names) == [str(label) for label in range(len(names))]:
        return f"0 to {len(names) - 1}"
    return listed([f"{label} {name}" for label, name in enumerate(names)], _SHOWN)


def folder_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names of folders that are read back as these classes: "/" becomes "_"; numbers where that fails."""
    safe = tuple(name.replace("/", "_") for name in names)
    usable = all(name and not name.startswith(".") for name in safe)
    return safe if usable and len(set(plain_names(safe))) == len(safe) else tuple(map(str, range(len(names))))
