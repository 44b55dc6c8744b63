"""Which fields of a config somebody may have meant who wrote the name of none."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import ml_collections

_MOST = 3  # that are named in a message


def similar_fields(config: ml_collections.ConfigDict, given: str) -> list[str]:
    """The fields "a.b.c" that are most like the given one, the likeliest first; at most three.

    A field is like a name that it ends in, whose letters are the initials of its words ("lr" for
    learning_rate), whose words it has ("optimizer" for generator_optimizer), or that is spelled almost the
    same.
    """
    found: list[tuple[int, float, str]] = []
    for path in _paths(config):
        rank, likeness = _likeness(given.lower(), path)
        if likeness:
            found.append((rank, -likeness, path))
    best = [path for rank, _, path in sorted(found, key=lambda one: one[:2]) if rank == min(found)[0]]
    return best[:_MOST]


def meant(config: ml_collections.ConfigDict, given: str) -> str:
    """What a message says of the similar fields; "" without any."""
    similar = [f"--config.{path}" for path in similar_fields(config, given)]
    return f" (did you mean {' or '.join(similar)}?)" if similar else ""


def _likeness(given: str, path: str) -> tuple[int, float]:
    """Of which kind it is, 0 the strongest, and how much; 0.0 for not at all."""
    last, wanted = path.rpartition(".")[2], given.rpartition(".")[2]
    words = last.split("_")
    if path == given or path.endswith(f".{given}"):
        return 0, 1.0
    if len(wanted) > 1 and wanted == "".join(word[0] for word in words if word):
        return 1, 1.0
    if "." in given and (ratio := difflib.SequenceMatcher(None, given, path).ratio()) >= 0.8:
        return 2, ratio
    if set(wanted.split("_")) <= set(words):
        return 3, 1 / (len(words) + path.count("."))
    ratio = difflib.SequenceMatcher(None, wanted, last).ratio()
    return 4, ratio if ratio >= 0.75 else 0.0


def _paths(config: ml_collections.ConfigDict, above: str = "") -> Iterator[str]:
    """Every field, those that have fields of their own among them."""
    for name, value in config.items():
        yield f"{above}{name}"
        if isinstance(value, ml_collections.ConfigDict):
            yield from _paths(value, f"{above}{name}.")
