"""What the page asks for, read from the query of its address: every number checked, every name known."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from gan_jax.explorer.pictures import Point, View
from gan_jax.utils.errors import UserError

FARTHEST = 10.0  # standard deviations that a point may be moved
MOST_PSI = 2.0
_SEEDS = 2**32
_FIELDS = ("seed", "label", "moves", "layers")
_ALL = {*_FIELDS, *(f"to_{name}" for name in _FIELDS), "t", "psi", "save"}
_LONGEST = 4096  # letters of a query


@dataclass(frozen=True)
class Choices:
    """What can be asked of a run.

    Attributes:
        num_classes: None of an unconditional one.
        directions: how many there are.
        bands: names of the layers of styles; () where there are none.
        truncates: whether psi can be another than 1.
    """

    num_classes: int | None
    directions: int
    bands: Sequence[str] = ()
    truncates: bool = False


def view_of(query: str, choices: Choices) -> View:
    """The view that a query asks for: "seed=3&label=1&moves=0,1.5&psi=0.7", "...&to_seed=4&t=0.25".

    Raises:
        UserError: anything unknown, missing, twice, or beyond what there is.
    """
    given = _fields(query)
    to = _point(given, choices, "to_") if "to_seed" in given else None
    if to is None and (alone := [name for name in given if name.startswith("to_") or name == "t"]):
        raise UserError(f"{alone[0]} is of a way to another picture: give to_seed too")
    psi = _number(given, "psi", 1.0, -MOST_PSI, MOST_PSI)
    if psi != 1.0 and not choices.truncates:
        raise UserError(f"psi={psi:g}: this generator has no mean style to truncate to")
    return View(_point(given, choices, ""), to, _number(given, "t", 0.0, 0.0, 1.0), psi)


def _fields(query: str) -> dict[str, str]:
    if len(query) > _LONGEST:
        raise UserError(f"a query of {len(query)} letters: at most {_LONGEST}")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict")
    except ValueError as error:
        raise UserError(f"the query cannot be read ({error}): write name=value, with & between") from None
    given = dict(pairs)
    if unknown := sorted(given.keys() - _ALL):
        raise UserError(f"unknown {unknown[0][:40]!r}; known are {', '.join(sorted(_ALL))}")
    if len(given) != len(pairs):
        raise UserError("a name is given twice")
    return given


def _point(given: Mapping[str, str], choices: Choices, prefix: str) -> Point:
    seed, label, layers = (given.get(prefix + name) for name in ("seed", "label", "layers"))
    if seed is None:
        raise UserError(f"{prefix}seed is missing")
    if choices.num_classes is None:
        if label is not None:
            raise UserError(f"{prefix}label: this run is unconditional")
    elif label is None:
        raise UserError(f"{prefix}label is missing: this run is conditional")
    if layers is not None and layers not in ("all", *choices.bands):
        there = ", ".join(("all", *choices.bands)) if choices.bands else "nothing: there are no styles"
        raise UserError(f"{prefix}layers={layers[:40]!r}: choose {there}")
    parts = given.get(f"{prefix}moves", "")
    moves = [_read(part, f"{prefix}moves", -FARTHEST, FARTHEST) for part in parts.split(",") if parts]
    if len(moves) > choices.directions:
        raise UserError(
            f"{prefix}moves: {len(moves)} are given, and there are {choices.directions} directions"
        )
    return Point(
        _whole(seed, f"{prefix}seed", _SEEDS),
        None if label is None else _whole(label, f"{prefix}label", choices.num_classes or 0),
        tuple(moves),
        layers or "all",
    )


def _number(given: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    return default if name not in given else _read(given[name], name, low, high)


def _read(text: str, name: str, low: float, high: float) -> float:
    try:
        value = float(text) if re.fullmatch(r"[-+0-9.eE]{1,32}", text) else math.nan
    except ValueError:
        value = math.nan
    if not low <= value <= high:  # nan too
        raise UserError(f"{name}={text[:40]!r}: a number from {low:g} to {high:g} is expected")
    return value


def _whole(text: str, name: str, below: int) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) >= below:
        raise UserError(f"{name}={text[:40]!r}: a whole number from 0 to {below - 1} is expected")
    return int(text)


def name_of(view: View, class_names: Sequence[str] = ()) -> str:
    """A view as a part of a file's name: "seed3_sneaker_d2+1.5_psi0.7"."""
    parts = [_name_of_point(view.point, class_names)]
    if view.to is not None:
        parts += ["to", _name_of_point(view.to, class_names), f"{100 * view.t:.0f}percent"]
    if view.psi != 1.0:
        parts.append(f"psi{view.psi:g}")
    return "_".join(parts)


def _name_of_point(point: Point, class_names: Sequence[str]) -> str:
    parts = [f"seed{point.seed}"]
    if point.label is not None:
        name = class_names[point.label] if point.label < len(class_names) else f"class{point.label}"
        parts.append(safe_name(name) or f"class{point.label}")
    parts += [f"d{number}{move:+g}" for number, move in enumerate(point.moves, 1) if move]
    if point.layers != "all" and any(point.moves):
        parts.append(point.layers)
    return "_".join(parts)


def safe_name(text: str) -> str:
    """Text as every system takes it in a file's name."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip("-.")[:60]


def settings_of(view: View) -> dict[str, Any]:
    """A view as JSON values, which are written into a saved picture."""

    def told(point: Point) -> dict[str, Any]:
        label = {} if point.label is None else {"label": point.label}
        moved = {"moves": list(point.moves), "layers": point.layers} if any(point.moves) else {}
        return {"seed": point.seed, **label, **moved}

    way = {} if view.to is None else {"to": told(view.to), "t": view.t}
    return {**told(view.point), **way, "psi": view.psi}
