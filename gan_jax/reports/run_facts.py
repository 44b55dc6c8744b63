"""What a run's folder says of the run, read once."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ml_collections
import numpy as np
from absl import logging

from gan_jax.config.components import complete
from gan_jax.config.record import flatten, from_json, to_json
from gan_jax.evaluation.protocol import WHILE_TRAINING, Record, from_row
from gan_jax.summaries.logs import read_losses, read_metrics
from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded
from gan_jax.utils.untrusted import parse_json


@dataclass(frozen=True)
class RunFacts:
    """A run.

    Attributes:
        name: as it is called beside others.
        folder: where it is.
        record: what its config.json says.
        config: with the defaults of fields that are newer than the record.
        losses: see `read_losses`.
        rows: of metrics.jsonl that the training wrote.
        scores: of metrics.jsonl, each named after the run.
        best: what best.json says of the best checkpoint; None without one.
    """

    name: str
    folder: Path
    record: Mapping[str, Any]
    config: ml_collections.ConfigDict
    losses: np.ndarray | None
    rows: list[dict[str, Any]]
    scores: list[Record]
    best: Mapping[str, Any] | None

    @property
    def fields(self) -> dict[str, Any]:
        """The config by dotted names; JSON values."""
        return flatten(to_json(self.config))

    @property
    def step(self) -> int:
        """Completed steps, as far as its records tell."""
        rows = [row["step"] for row in self.rows]
        return max([0, *rows, *(record.step or 0 for record in self.scores)])

    @property
    def shown_scores(self) -> list[Record]:
        """Those of `gan-jax evaluate`; without any, the last and the best that the run measured."""
        evaluated = [record for record in self.scores if record.which != WHILE_TRAINING]
        if evaluated or not self.scores:
            return evaluated
        steps = {self.scores[-1].step, self.best["step"] if self.best else None}
        return [record for record in self.scores if record.step in steps]

    @property
    def source(self) -> str | None:
        """The text of the config file; None where the run has not kept it."""
        name = (self.record.get("source") or {}).get("file")
        path = self.folder / "source" / Path(str(name)).name
        return path.read_text(errors="replace") if name and path.is_file() else None

    @property
    def headline(self) -> str:
        """The first paragraph of the config file's docstring; "" without one."""
        try:
            text = ast.get_docstring(ast.parse(self.source or "")) or ""
        except (SyntaxError, ValueError, RecursionError):
            return ""
        return " ".join(text.split("\n\n")[0].split())


def run_facts(folder: str | Path, record: Mapping[str, Any], name: str | None = None) -> RunFacts:
    """What is in a run's folder beside its record, which the caller has read.

    Raises:
        UserError: its losses are damaged.
    """
    folder = expanded(folder)
    name = name or folder.resolve().name
    rows = read_metrics(folder)
    found = [record for record in map(from_row, rows) if record is not None]
    return RunFacts(
        name=name,
        folder=folder,
        record=record,
        config=_completed(from_json(record["config"])),
        losses=read_losses(folder),
        rows=[row for row in rows if "steps_per_second" in row],
        scores=[replace(score, fake=name) for score in found],  # others may have its name elsewhere
        best=_best(folder),
    )


def _completed(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    try:
        return complete(config)
    except (UserError, ValueError, KeyError, TypeError, AttributeError) as error:  # of another version
        logging.warning("the config is shown as it was recorded: %s", error)
        return config


def _best(folder: Path) -> Mapping[str, Any] | None:
    try:
        note = parse_json((folder / "best" / "best.json").read_text())
        return note if isinstance(note["step"], int) and isinstance(note["score"], str) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
