"""Which pictures are held out where nothing says it: whole families of them, by a hash of the family's name.

A family are the pictures that must not stand on both sides, such as the variants of one emoji: a network that
has seen one of them knows the others. A hash gives the same split on every machine and in every order, and a
new picture moves none of the others.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from absl import logging

from gan_jax.utils.errors import UserError
from gan_jax.utils.names import counted, listed, printable

T = TypeVar("T")

HELD_OUT = 10  # one family in so many


def check_family(name: str, family: str) -> None:
    """Raises a UserError if the option `family` of a data set is no regular expression."""
    try:
        re.compile(family)
    except re.error as error:
        raise UserError(
            f"{name}: family is {family!r}, which is no regular expression ({error}). It says which part of "
            "a picture's name is its family: '[^-]+' is what stands before the first '-'."
        ) from error


def family_of(name: str, family: str) -> str:
    """The first part of a name that the expression finds: its first group, or all where it has none.

    Args:
        name: "1f600-1f3fb".
        family: a regular expression, such as "[^-]+"; "" for the name itself.

    Raises:
        ValueError: the expression finds nothing in the name.
    """
    if not family:
        return name
    found = re.search(family, name)
    if found is None:
        raise ValueError(f"nothing in {name} is of the form {family}")
    return str(found[1] if found.re.groups and found[1] is not None else found[0])


def is_held_out(family: str) -> bool:
    """Whether a family is one of the tenth that is held out: crc32 of its name (UTF-8), modulo 10, is 0."""
    return _hash(family) % HELD_OUT == 0


def split_by_family(
    data_set: str, names: Sequence[str], family: str, noun: str = "picture"
) -> dict[str, list[int]]:
    """The indices of the pictures in "train" and in "test", in order; without "test" where that is empty.

    Args:
        data_set: for messages.
        names: of the pictures.
        family: as in `family_of`.
        noun: what messages call one of them; only pictures may lie in folders train and test.

    Raises:
        UserError: names without a family, or no family is left to train on.
    """
    families, without = [], []
    for name in names:
        try:
            families.append(family_of(name, family))
        except ValueError:
            without.append(printable(name))
    if without:
        raise UserError(
            f"{data_set}: {counted(len(without), 'name')} ({listed(without)}) have no part of the form "
            f"{family!r}, which family= says is the family of a picture."
        )
    held_out = [is_held_out(one) for one in families]
    split = {
        "train": [index for index, is_out in enumerate(held_out) if not is_out],
        "test": [index for index, is_out in enumerate(held_out) if is_out],
    }
    if not split["train"]:
        advice = ", or folders train and test" if noun == "picture" else ""
        raise UserError(
            f"{data_set}: all {counted(len(names), noun)} belong to families that are held out "
            f"({listed(sorted(set(families)))}): give more{advice}."
        )
    if not split["test"]:
        logging.warning(
            "%s: none of the %s is held out, because there are too few families",
            *(data_set, counted(len(names), noun)),
        )
        del split["test"]
    return split


def mixed(items: Iterable[T], name_of: Callable[[T], str]) -> list[T]:
    """The items in the order of their names' crc32, the same on every machine: the first ones show what there
    is, where names in order would be of one kind."""
    return sorted(items, key=lambda item: (_hash(name_of(item)), name_of(item)))


def _hash(name: str) -> int:
    return zlib.crc32(name.encode(errors="surrogateescape"))
