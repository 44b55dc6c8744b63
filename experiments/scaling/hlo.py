"""What a compiled program really exchanges: the collectives in the text of its optimised HLO.

The independent check of the counts in `workloads.py`: nothing here knows about networks.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass

COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
_HEAD = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_OPERATION = re.compile(r"^(?:ROOT )?%?[\w.\-]+ = (.+?) ([a-z][\w\-]*)\(")
_SHAPE = re.compile(r"\b(pred|[a-z]+\d+(?:e\d+m\d+\w*)?)\[([\d,]*)\]")
_CALLED = re.compile(r"(?:body|to_apply|calls|true_computation|false_computation)=%?([\w.\-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_TRIPS = re.compile(r'known_trip_count"?:\{"n":"(\d+)"')


@dataclass(frozen=True)
class Collective:
    """One kind of exchange.

    Attributes:
        shapes: of the arrays of its result; `()` is a scalar.
        times: how often one step runs it.
    """

    kind: str
    shapes: tuple[tuple[int, ...], ...]
    times: int

    @property
    def elements(self) -> int:
        """In all of its arrays, once."""
        return sum(math.prod(shape) for shape in self.shapes)


def collectives(text: str) -> list[Collective]:
    """All collectives that a program reaches from its entry.

    A loop of known length counts as often as it runs; one of unknown length (the compiled loop over train
    steps) once, so what comes out is for one step. Of a conditional all branches count.

    Args:
        text: `compiled.as_text()`.
    """
    bodies, entry = _computations(text)
    found: list[Collective] = []

    def visit(name: str, times: int) -> None:
        for line in bodies[name]:
            matched = _OPERATION.match(line)
            if matched is None:
                continue
            kind = matched[2].removesuffix("-start")
            if kind in COLLECTIVES:
                found.append(Collective(kind, _shapes(matched[1]), times))
                continue
            trips = _TRIPS.search(line)
            for called in _called(line):
                if called in bodies:
                    visit(called, times * (int(trips[1]) if trips else 1))

    visit(entry, 1)
    return found


def reduced_elements(text: str) -> int:
    """Numbers that one step adds up over the devices."""
    return sum(x.elements * x.times for x in collectives(text) if x.kind == "all-reduce")


def _computations(text: str) -> tuple[dict[str, list[str]], str]:
    bodies: dict[str, list[str]] = defaultdict(list)
    name = entry = ""
    for line in text.splitlines():
        head = _HEAD.match(line)
        if head:
            name = head[2]
            entry = name if head[1] else entry
        elif line.startswith(" "):
            bodies[name].append(line.strip())
    if not entry:
        raise ValueError("this is no HLO module: it has no entry")
    return bodies, entry


def _shapes(kind: str) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(n) for n in dimensions.split(",") if n) for _, dimensions in _SHAPE.findall(kind))


def _called(line: str) -> list[str]:
    branches = _BRANCHES.search(line)
    names = [name.strip().removeprefix("%") for name in branches[1].split(",")] if branches else []
    return names + _CALLED.findall(line)
