"""Protocols of scores, that is how they were measured, and tables with one protocol per column."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean, stdev
from typing import Any

EIGHT_BITS = "8-bit images"  # the precision of metrics that look at images alone
WHILE_TRAINING = "while training"  # a record's `which`, where the run itself measured it


@dataclass(frozen=True)
class Setting:
    """What must be equal for two scores to be comparable, besides the metric and its version.

    Attributes:
        num_fakes: generated images; 0 of what is said of the reals alone.
        num_reals: real images.
        real: the real side, such as "mnist:train".
        real_fingerprint: of its pixels.
        network: the feature network's name, and how good it is where that is known.
        network_digest: of its weights, architecture and preprocessing.
        resizer: "none", or what brings images to the network's size.
        precision: of the network.
        paired: whether each fake is compared with the one real that belongs to it.
    """

    num_fakes: int
    num_reals: int
    real: str
    real_fingerprint: str
    network: str
    network_digest: str
    resizer: str
    precision: str
    paired: bool = False

    @property
    def id(self) -> str:
        """8 hex digits; equal only for equal settings."""
        # Those of sets have the digits that they had before there were pairs.
        return _digest({name: value for name, value in asdict(self).items() if name != "paired" or value})

    def __str__(self) -> str:
        reals = f"{self.num_fakes:,} fakes against {self.num_reals:,} reals of {self.real}"
        if self.paired:
            reals = f"{self.num_fakes:,} fakes, each against its own of {self.real}"
        if not (self.num_fakes or self.num_reals):
            return f"images like those of {self.real}"
        if not self.num_fakes:
            reals = f"{self.num_reals:,} held-out examples of {self.real}"
        network = f"network {self.network} ({self.network_digest}), resizer {self.resizer}"
        if not self.network_digest:
            network = "no network"
        return f"{reals} ({_digest(self.real_fingerprint)}), {network}, {self.precision}"


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Score:
    """One number and its metric.

    Attributes:
        value: the number.
        metric: the metric that yields it; "fid".
        version: the metric's.
        protocol: the metric's own parameters.
        better: "lower", "higher", "neither", or "detail": of no interest in a table.
        setting: what it was measured with, where that is not the record's setting.
    """

    value: float
    metric: str
    version: int
    protocol: str
    better: str = "neither"
    setting: Setting | None = None

    @property
    def described(self) -> str:
        """The metric in words."""
        return f"{self.metric} version {self.version}" + (f" ({self.protocol})" if self.protocol else "")


def column(setting: Setting, name: str, score: Score) -> str:
    """8 hex digits that say which scores may stand in one column."""
    return _digest([setting.id, name, score.metric, score.version, score.protocol])


@dataclass(frozen=True)
class Record:
    """The scores of one set of fakes.

    Attributes:
        fake: what was measured: "run/x", "folder x".
        fake_id: equal only for the same weights, or the same files.
        step: of the checkpoint; None where the fakes are files.
        which: "last", "best by fid", ...; "" where nothing says it.
        averaged: whether the generator's averaged weights were used; None where the fakes are files.
        labels: how the fakes' labels were chosen.
        seed: of the latents and of what the metrics draw.
        setting: the protocol.
        scores: by name.
        seconds: the whole measurement took.
        environment: time, hardware and versions.
    """

    fake: str
    fake_id: str
    step: int | None
    which: str
    averaged: bool | None
    labels: str
    seed: int
    setting: Setting
    scores: Mapping[str, Score]
    seconds: float
    environment: Mapping[str, Any]

    def setting_of(self, name: str) -> Setting:
        """What this score was measured with."""
        return self.scores[name].setting or self.setting

    def column(self, name: str) -> str:
        """8 hex digits that say which scores may stand in one column with this one."""
        return column(self.setting_of(name), name, self.scores[name])

    def row(self) -> dict[str, Any]:
        """The record as a row of metrics.jsonl; `step` stands on top."""
        content = asdict(self)
        for score in content["scores"].values():
            if score["setting"] is None:
                del score["setting"]
            if not math.isfinite(score["value"]):
                score["value"] = str(score["value"])  # JSON has no infinity
        return {"step": content.pop("step"), "evaluation": {**content, "setting_id": self.setting.id}}


def from_row(row: Mapping[str, Any]) -> Record | None:
    """The record of a row; None where the row is none, or one of a version that this one cannot read."""
    content = row.get("evaluation")
    if not isinstance(content, dict):
        return None
    try:
        content = {name: value for name, value in content.items() if name != "setting_id"}
        content["setting"] = Setting(**content["setting"])
        content["scores"] = {name: _score(**score) for name, score in content["scores"].items()}
        return Record(step=row["step"], **content)
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def _score(value: Any, setting: Mapping[str, Any] | None = None, **others: Any) -> Score:
    """A score from the fields of a row."""
    return Score(float(value), setting=None if setting is None else Setting(**setting), **others)


def table(records: Iterable[Record], only: Sequence[str] | None = None) -> str:
    """The `score_table` of records as Markdown."""
    lines, notes = score_table(records, only)
    lines = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return "\n".join([text, "", *notes])


def score_table(
    records: Iterable[Record], only: Sequence[str] | None = None
) -> tuple[list[list[str]], list[str]]:
    """A row for each checkpoint or set of files, and what each column means.

    Scores share a column only if their protocols are equal. Records of the same weights that differ in the
    seed alone are one row, mean ± standard deviation: the noise of the evaluation, not of the training. Of
    several with the same seed the last counts.

    Args:
        only: the scores to show; by default all that are no details.

    Returns:
        rows of texts, the head first; lines about the protocols.
    """
    records = list(records)
    columns: dict[str, tuple[str, Setting, Score]] = {}
    rows: dict[tuple[Any, ...], dict[str, dict[int, float]]] = {}  # the newest value of each seed
    for record in records:
        cells = rows.setdefault(_row_of(record), {})
        for name in only or [name for name, score in record.scores.items() if score.better != "detail"]:
            if name in record.scores:
                score, key = record.scores[name], record.column(name)
                columns.setdefault(key, (name, record.setting_of(name), score))
                cells.setdefault(key, {})[record.seed] = score.value
    protocols = _protocols(columns)
    order = list(dict.fromkeys(protocols.values()))
    letters = {key: _letter(order.index(protocol)) for key, protocol in protocols.items()}
    keys = sorted(columns, key=letters.__getitem__)  # a protocol's side by side
    heads = [_head(*columns[key], letters[key] if len(order) > 1 else "") for key in keys]
    lines = [["fake", "step", *heads]]
    for row, cells in rows.items():
        if not cells:
            continue
        step, averaged = row[1:3]
        shown = "" if step is None else f"{step}{'' if averaged else ', not averaged'}"
        lines.append(
            [_named(row, records), shown, *(_cell(list(cells.get(key, {}).values())) for key in keys)]
        )
    return lines, _notes(columns, letters, records)


def _row_of(record: Record) -> tuple[Any, ...]:
    """What the records of one row of a table have in common."""
    return record.fake, record.step, record.averaged, record.labels, record.fake_id


def _protocols(columns: Mapping[str, tuple[str, Setting, Score]]) -> dict[str, tuple[str, int]]:
    """Of each column the protocol: a setting, and which of several ways to measure this score with it."""
    found: dict[str, tuple[str, int]] = {}
    known: Counter[tuple[str, str]] = Counter()
    for key, (name, setting, _) in columns.items():
        found[key] = setting.id, known[name, setting.id]
        known[name, setting.id] += 1
    return found


def _letter(index: int) -> str:
    return chr(ord("A") + index) if index < 26 else f"Z{index}"


def _head(name: str, setting: Setting, score: Score, letter: str) -> str:
    arrow = {"lower": " ↓", "higher": " ↑"}.get(score.better, "")
    return f"{name}{arrow}" + (f" ({letter})" if letter else "")


def _named(row: tuple[Any, ...], records: list[Record]) -> str:
    which = dict.fromkeys(record.which for record in records if _row_of(record) == row and record.which)
    return f"{row[0]} ({', '.join(which)})" if which else str(row[0])


def _cell(values: list[float]) -> str:
    if not values:
        return ""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return f"{values[-1]}"
    text = f"{mean(finite):.4g}" + (f" ± {stdev(finite):.2g}" if len(finite) > 1 else "")
    return text if len(finite) == len(values) else f"{text} ({len(finite)} of {len(values)} finite)"


def _notes(
    columns: Mapping[str, tuple[str, Setting, Score]], letters: Mapping[str, str], records: list[Record]
) -> list[str]:
    """The protocols, a line each."""
    notes = []
    for letter in sorted(set(letters.values())):
        shown = [(score, setting) for key, (_, setting, score) in columns.items() if letters[key] == letter]
        metrics = dict.fromkeys(score.described for score, _ in shown)
        setting = shown[0][1]
        notes.append(f"Protocol {letter} [{setting.id}]: {setting}; {', '.join(metrics)}.")
    seeds: dict[Any, set[int]] = {}
    for record in records:
        seeds.setdefault((_row_of(record), record.setting.id), set()).add(record.seed)
    most = max(map(len, seeds.values()), default=0)
    if most > 1:
        notes.append(
            f"±: standard deviation over {most} seeds of the evaluation, of one trained generator; "
            "it says nothing of how trainings differ."
        )
    else:
        listed = sorted({record.seed for record in records})
        notes.append(f"Seed {', '.join(map(str, listed))}.")
    return notes
