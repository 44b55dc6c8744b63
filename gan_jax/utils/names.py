"""Names of files and classes: their order, and how messages and records write them."""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def natural_order(names: Iterable[str]) -> list[str]:
    """The names in the order that people count in: "2" before "10", "class9" before "class10".

    Names that are all numbers are in the order of their values; in others each run of digits counts as one
    number. Where that leaves a tie ("1" and "01"), text decides.
    """
    given = list(names)
    if all(_NUMBER.fullmatch(name) for name in given):
        return sorted(given, key=lambda name: (float(name), name))

    def parts(name: str) -> list[str | tuple[int, str]]:
        pieces = re.split("([0-9]+)", name)  # text and digits in turn
        return [_value(piece) if place % 2 else piece for place, piece in enumerate(pieces)]

    return sorted(given, key=lambda name: (parts(name), name))


def _value(digits: str) -> tuple[int, str]:
    """What orders numbers of any length."""
    significant = digits.lstrip("0")
    return len(significant), significant


def printable(name: str | os.PathLike[str]) -> str:
    r"""A name as it can be shown, kept as JSON and written to a file of UTF-8 with a name on each line.

    Bytes that are no UTF-8, control characters and blanks at the ends become `\x..`; composed and decomposed
    accents become the same.
    """
    text = unicodedata.normalize("NFC", os.fsencode(name).decode(errors="backslashreplace"))
    return re.sub(r"^\s+|\s+$|[\x00-\x1f\x7f-\x9f\u2028\u2029]", _escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"\\x{ord(character):02x}" for character in found[0])


def without_addresses(text: str) -> str:
    """A message without the addresses of objects, which tell nobody anything: "<X object at 0x7f...>"."""
    return re.sub(r" at 0x[0-9a-f]{6,}", "", text)


def listed(names: Sequence[str], most: int = 3, between: str = ", ") -> str:
    """The first of them, and how many more: "a, b, c and 4 more"."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return between.join(names[:most]) + more


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 picture", "2 pictures", "2 classes"."""
    return f"{number} {noun}{'' if number == 1 else 'es' if noun.endswith('s') else 's'}"


def did_you_mean(given: str, choices: Iterable[str]) -> str:
    """What a message on an unknown name says of similar ones: " (did you mean a or b?)"; "" without any."""
    if not any(map(str.isalpha, given)):  # another number is not what was meant
        return ""
    lowered = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(given.lower(), lowered, n=3, cutoff=0.66)
    return f" (did you mean {' or '.join(lowered[name] for name in close)}?)" if close else ""
