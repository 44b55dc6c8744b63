"""The history of the runs of a group: what was measured of each, sealed at every checkpoint.

history.jsonl has a row for the scores of a run at a step, and for a run that is lost. Before a checkpoint is
saved, a row {"step": 500, "seconds": 61.2, "sha256": "..."} seals all that is above it. A checkpoint counts
only with a history that is sealed at its step and has not changed since: a row that is missing or damaged
must not become a report over part of the points.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from gan_jax.summaries.logs import line_of
from gan_jax.utils import files
from gan_jax.utils.errors import UserError

FILE = "history.jsonl"
Row = dict[str, Any]


class History:
    """The history in a group's folder; `begin` comes before what is written."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._content = self._read()

    def problem(self, step: int) -> str | None:
        """None if the history up to a checkpoint of this step is as it was; otherwise what is wrong."""
        seals = [(before, row) for before, row, _ in self._seals() if row["step"] == step]
        if not seals:
            return f"{FILE} lacks what was measured up to it"
        if any(row == self._seal(before, row) for before, row in seals):
            return None
        return f"{FILE} was damaged or changed in what it says up to it"

    def begin(self, step: int | None) -> list[Row]:
        """The rows up to a checkpoint without a `problem`, None for none; what comes after them is dropped.

        Raises:
            UserError: there is no checkpoint, and the history tells of one.
        """
        kept = b""
        if step is not None:
            kept = next(
                self._content[:after]
                for before, row, after in self._seals()
                if row["step"] == step and row == self._seal(before, row)
            )
        elif len(seals := self._seals()) > 1:  # of one the checkpoint may not have been finished
            raise UserError(
                f"{self.path} tells of {seals[-1][1]['step']} steps, but there is no checkpoint beside it. "
                f"Put the checkpoints back, or move {self.path.parent} away to train these runs anew."
            )
        if kept != self._content:
            self._content = kept
            files.write_atomically(self.path, kept)
        return [json.loads(line) for line in kept.splitlines()]

    def add(self, row: Row) -> None:
        """Writes a row down.

        Raises:
            UserError: the disk is full or the folder cannot be written to.
        """
        line = line_of(row).encode()
        self._content += line
        with files.disk_errors(f"write {self.path}"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with files.open_file(self.path, "ab") as file:
                file.write(line)
                file.flush()
                if "sha256" in row:
                    files.flush_to_disk(file.fileno())

    def seal(self, step: int, seconds: float) -> None:
        """Seals all that was written; errors as `add`. The checkpoint of this step comes after it."""
        self.add(self._seal(len(self._content), {"step": step, "seconds": round(seconds, 3)}))

    def _seal(self, before: int, row: Row) -> Row:
        """The seal of the first `before` bytes, and of the step and the seconds of `row`."""
        own = {name: row[name] for name in ("step", "seconds")}
        digest = hashlib.sha256(self._content[:before] + line_of(own).encode()).hexdigest()
        return {**own, "sha256": digest}

    def _read(self) -> bytes:
        with files.disk_errors(f"read {self.path}"):
            return self.path.read_bytes() if self.path.exists() else b""

    def _seals(self) -> list[tuple[int, Row, int]]:
        """Each seal, between the bytes that it seals and where its line ends."""
        found, begin = [], 0
        for line in self._content.splitlines(keepends=True):
            end = begin + len(line)
            try:
                row = json.loads(line) if line.endswith(b"\n") else None
            except (ValueError, RecursionError):  # half-written when the process was killed, or damaged
                row = None
            if isinstance(row, dict) and row.keys() == {"step", "seconds", "sha256"}:
                found.append((begin, row, end))
            begin = end
        return found
