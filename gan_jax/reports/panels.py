"""The curves of runs as data, which `charts` draws in pages and `compare_picture` in a PNG.

A panel for each quantity, so that none is squeezed by another one's size. The losses come first, then what
the discriminators say of reals and fakes, then all else that was recorded, then scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gan_jax.evaluation.protocol import WHILE_TRAINING, Record
from gan_jax.reports.run_facts import RunFacts
from gan_jax.summaries.smoothing import smoothed, thinned

_POINTS = 400  # of a line: as many as a panel has columns
_CURVE = 3
_OUTPUTS = (("discriminator_real", "D(x)"), ("discriminator_fake", "D(G(z))"))
_ARROWS = {"lower": " ↓", "higher": " ↑"}


@dataclass(frozen=True)
class Line:
    """One line of a panel.

    Attributes:
        label: for the legend.
        steps, values: [T] each; the values are finite.
        colour: a number, equal for what belongs together.
        dashed: so that a line below it is seen where the two are equal.
        every: (steps, values) of what was smoothed, drawn thin and pale; None where that would hide others.
        dots: whether each point is a measurement.
    """

    label: str
    steps: np.ndarray
    values: np.ndarray
    colour: int
    dashed: bool = False
    every: tuple[np.ndarray, np.ndarray] | None = None
    dots: bool = False


@dataclass(frozen=True)
class Panel:
    """Lines against the step.

    Attributes:
        title: what the values are.
        lines: at least one.
        about: what else must be known to read them, such as a protocol.
        linear: whether the axis of the values is never logarithmic.
        shares: whether values in [0, 1] are shares or probabilities, whose axis is all of that.
    """

    title: str
    lines: tuple[Line, ...]
    about: str = ""
    linear: bool = False
    shares: bool = False


def loss_panels(runs: Sequence[RunFacts]) -> list[Panel]:
    """What the runs recorded at every step, overlaid; smoothed, and of a single run also as it was.

    Losses of different objectives have panels of their own.
    """
    names: dict[str, None] = {}
    for run in runs:
        names |= dict.fromkeys((run.losses.dtype.names or ()) if run.losses is not None else ())
    own = {name: _output_of(name) for name in names}
    titles: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda name: (not name.endswith("_loss"), own[name] is None)):
        of = own[name]
        title = name.replace("_", " ") if of is None else f"mean output of D{of[1]}"
        titles.setdefault(title, []).append(name)
    panels = []
    for title, fields in titles.items():
        for objective, chosen in _comparable(fields, runs).items():
            lines = [line for number, run in chosen for line in _lines(run, fields, number, len(runs))]
            if lines:
                full = f"{title}: {objective}" if objective else title
                output = own[fields[0]] is not None
                panels.append(Panel(full, tuple(lines), linear=output, shares=output))
    return panels


def _comparable(fields: Sequence[str], runs: Sequence[RunFacts]) -> dict[str, list[tuple[int, RunFacts]]]:
    """The runs with their numbers, by their objectives where these say what the values are; "" for all.

    A Wasserstein critic says 40 where others say 0.5: on one axis these would be a line at 0.
    """
    names = [str(run.fields.get("loss.name", "other")) for run in runs]
    if not (fields[0].endswith("_loss") or _output_of(fields[0])) or len(set(names)) == 1:
        return {"": list(enumerate(runs))}
    found: dict[str, list[tuple[int, RunFacts]]] = {}
    for number, (run, name) in enumerate(zip(runs, names, strict=True)):
        found.setdefault(name.replace("_", " "), []).append((number, run))
    return found


def _output_of(name: str) -> tuple[str, str] | None:
    """Of a discriminator's mean output what it is of, and which of several discriminators said it."""
    for start, label in _OUTPUTS:
        if name.startswith(start):
            return label, name.removeprefix(start).replace("_", " ")
    return None


def _lines(run: RunFacts, fields: Sequence[str], number: int, count: int) -> list[Line]:
    """The lines of one run in one panel."""
    lines = []
    for place, field in enumerate(sorted(fields, reverse=True)):  # real below fake
        if run.losses is None or field not in (run.losses.dtype.names or ()):
            continue
        trained = np.flatnonzero(np.isfinite(run.losses[field]))
        if not len(trained):
            continue
        steps, values = trained + 1, run.losses[field][trained].astype(np.float64)
        of = _output_of(field)
        word = field.replace("_", " ") if of is None else of[0]
        label = word if count == 1 else run.name if of is None else f"{run.name}: {word}"
        every = thinned(steps, values, _POINTS) if count == 1 else None
        colour = place if count == 1 else number
        lines.append(Line(label, *smoothed(steps, values, _POINTS), colour, place > 0, every))
    return lines


def score_panels(runs: Sequence[RunFacts]) -> list[Panel]:
    """Scores over steps, in one panel only with one protocol.

    Two points are a curve where a run was scored as it trained: the last and the best checkpoint are none.
    """
    found: dict[str, dict[int, dict[int, float]]] = {}  # by column and run
    meaning: dict[str, tuple[str, str]] = {}
    least: dict[str, int] = {}  # points of a curve
    for number, run in enumerate(runs):
        for record in run.scores:
            for name, score in record.scores.items():
                if record.step is None or score.better == "detail" or not np.isfinite(score.value):
                    continue
                key = f"{record.column(name)} {_kind_of(record)}"
                found.setdefault(key, {}).setdefault(number, {})[record.step] = score.value
                watched = record.which == WHILE_TRAINING
                least[key] = min(least.get(key, _CURVE), 2 if watched else _CURVE)
                meaning[key] = (f"{name}{_ARROWS.get(score.better, '')}", _about(record, name))
    panels = []
    for key, by_run in found.items():
        title, about = meaning[key]
        lines = []
        for number, values in sorted(by_run.items()):
            steps = np.array(sorted(values))
            label = title if len(runs) == 1 else runs[number].name
            lines.append(Line(label, steps, np.array([values[s] for s in steps]), number, dots=True))
        if any(len(line.steps) >= least[key] for line in lines):
            panels.append(Panel(title, tuple(lines), about, shares=True))
    return panels


def _kind_of(record: Record) -> str:
    """What else must be equal in one line: a run may be scored with averaged weights and without."""
    return f"{record.averaged} {record.labels}"


def _about(record: Record, name: str) -> str:
    not_averaged = "weights not averaged; " if record.averaged is False else ""
    return f"{not_averaged}{record.setting_of(name)}; {record.scores[name].described}"
