"""Logs of a training run.

    metrics.jsonl   a row per logged interval: step, time (UTC, seconds since 1970), steps_per_second
                    (over the interval, without what is compiled), the metrics' means over
                    the interval; null where a value is not finite. And a row for each evaluation:
                    step, evaluation (scores and protocol, see evaluation/protocol.py)
    losses.npy      every step's metrics: a structured float32 array, row i is step i + 1, NaN where
                    not trained yet
    tensorboard/    the same means, and pictures

A resumed run drops what was recorded after the checkpoint it resumes from, so its files are those of
an uninterrupted run, apart from the two fields about time.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from absl import logging

from gan_jax.summaries.events import EventFile
from gan_jax.utils import files
from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded
from gan_jax.utils.progress import Progress
from gan_jax.utils.untrusted import DAMAGE, plain

METRICS = "metrics.jsonl"
LOSSES = "losses.npy"
TENSORBOARD = "tensorboard"


class RunLog:
    """The log of one run.

    Args:
        workdir: the run's folder; made if it is not there.
        num_steps: steps of the whole run; may be larger than when the run was started.
        first_step: completed steps. What was recorded after it is dropped.

    Every method raises UserError if the disk is full or the folder cannot be written to.
    """

    def __init__(self, workdir: str | Path, *, num_steps: int, first_step: int) -> None:
        workdir = expanded(workdir)
        self._doing = f"write {workdir / METRICS}"
        _drop_rows_after(workdir / METRICS, first_step)
        _warn_of_gaps(workdir, first_step)
        self._losses = LossFile(workdir / LOSSES, num_steps=num_steps, first_step=first_step)
        self._events = EventFile(workdir / TENSORBOARD, first_step=first_step)
        with files.disk_errors(self._doing):
            self._rows = files.open_file(workdir / METRICS, "a", encoding="utf-8")
        self._progress = Progress(num_steps=num_steps, first_step=first_step)
        self._interval = _unfinished_interval(workdir, first_step)
        self._trained = 0  # steps of this process since the last row
        self._row_at = time.monotonic()

    def record(self, step: int, metrics: Mapping[str, np.ndarray]) -> None:
        """Keeps every step's values.

        Args:
            step: completed steps.
            metrics: for each name [n], the values of the steps step - n + 1 to step.
        """
        values = {name: np.asarray(value, np.float32) for name, value in metrics.items()}
        self._losses.write(step, values)
        self._interval.append(values)
        self._trained += len(next(iter(values.values())))

    def row(self, step: int) -> None:
        """Writes the means over the interval that ends with `step`: all that was recorded since the last row.

        NaN values are left out of a mean: a lazy update has none at most steps.
        """
        now = time.monotonic()
        rate = self._trained / max(now - self._row_at, 1e-9)
        means = _means(self._interval)
        self._interval, self._trained, self._row_at = [], 0, now
        row = {"step": step, "time": round(time.time(), 3), "steps_per_second": round(rate, 4), **means}
        with files.disk_errors(self._doing):
            self._rows.write(line_of(row))
            self._rows.flush()
        self._events.scalars(step, {"steps_per_second": rate, **means})
        losses = {name: mean for name, mean in means.items() if name.endswith("_loss")}
        self._progress.update(step, losses, rate)

    def evaluation(self, row: Mapping[str, Any], scores: Mapping[str, float], seconds: float) -> None:
        """Writes a row of scores, as `protocol.Record.row` makes it; `seconds` is what measuring them took.

        That time is no training: the next row's steps_per_second leaves it out.
        """
        with files.disk_errors(self._doing):
            self._rows.write(line_of(row))
            self._rows.flush()
        self._events.scalars(row["step"], {f"evaluation/{name}": value for name, value in scores.items()})
        self._row_at += seconds

    @contextlib.contextmanager
    def no_training(self) -> Iterator[None]:
        """What is done inside, as compiling, is no training: the rate and the time left leave it out."""
        began = time.monotonic()
        yield
        self._row_at += time.monotonic() - began
        self._progress.resume()

    def picture(self, step: int, name: str, image_uint8: np.ndarray) -> None:
        """Shows a picture, uint8 [H, W, C] with C = 1, 3 or 4, in TensorBoard."""
        self._events.picture(step, name, image_uint8)

    def say(self, text: str) -> None:
        """Writes a line on standard error, above the progress bar if there is one."""
        self._progress.say(text)

    def close(self) -> None:
        """Shows the last progress and closes the files."""
        self._progress.close()
        self._losses.close()
        self._events.close()
        with files.disk_errors(self._doing):
            self._rows.close()


class NoLog:
    """A log that writes nothing, for processes other than the first."""

    def record(self, step: int, metrics: Mapping[str, np.ndarray]) -> None:
        """Nothing."""

    def row(self, step: int) -> None:
        """Nothing."""

    def evaluation(self, row: Mapping[str, Any], scores: Mapping[str, float], seconds: float) -> None:
        """Nothing."""

    def no_training(self) -> contextlib.AbstractContextManager[None]:
        """Nothing."""
        return contextlib.nullcontext()

    def picture(self, step: int, name: str, image_uint8: np.ndarray) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class LossFile:
    """losses.npy, made at the first `write`, when the metrics' names are known.

    Written with plain writes: into a memory map, a full disk would be a fatal signal.
    """

    def __init__(self, path: str | Path, *, num_steps: int, first_step: int) -> None:
        self._path = expanded(path)
        self._num_steps = num_steps
        self._first_step = first_step
        self._file: IO[bytes] | None = None
        self._dtype = np.dtype([])
        self._start = 0  # bytes before the first row

    def write(self, step: int, metrics: Mapping[str, np.ndarray]) -> None:
        """Writes the rows of the steps step - n + 1 to step; `metrics` holds arrays [n]."""
        count = len(next(iter(metrics.values())))
        if self._file is None or not set(metrics) <= set(self._dtype.names or ()):
            self._open(tuple(metrics), kept=self._first_step if self._file is None else step - count)
        assert self._file is not None
        rows = np.full(count, np.nan, self._dtype)
        for name, values in metrics.items():
            rows[name] = values
        with files.disk_errors(f"write {self._path}"):
            self._file.seek(self._start + (step - count) * self._dtype.itemsize)
            self._file.write(rows.tobytes())
            self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            with files.disk_errors(f"write {self._path}"):
                self._file.close()

    def _open(self, names: tuple[str, ...], kept: int) -> None:
        """Makes the file anew: with these metrics too, and of the old rows only the first `kept`."""
        self.close()
        old = _load(self._path)
        fields = old.dtype.names or ()
        fields += tuple(name for name in names if name not in fields)
        self._dtype = np.dtype([(name, np.float32) for name in fields])
        rows = np.full(max(self._num_steps, len(old)), np.nan, self._dtype)
        old = old[:kept]
        for name in old.dtype.names or ():
            rows[name][: len(old)] = old[name]
        buffer = io.BytesIO()
        np.save(buffer, rows)
        files.write_atomically(self._path, buffer.getvalue())
        self._start = buffer.tell() - rows.nbytes
        with files.disk_errors(f"write {self._path}"):
            self._file = files.open_file(self._path, "r+b")


def read_losses(workdir: Path | str) -> np.ndarray | None:
    """Every step's metrics, a structured float32 array [num_steps]; row i is step i + 1, NaN where
    not trained yet. None if the run has not logged yet.

    Raises:
        UserError: the file is no such array.
    """
    losses = _load(expanded(workdir) / LOSSES)
    return losses if losses.dtype.names else None


def read_metrics(workdir: Path | str) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl; [] if there is none. What a killed process left half-written is left out."""
    return read_rows(expanded(workdir) / METRICS)


def read_rows(path: str | Path, field: str = "step") -> list[dict[str, Any]]:
    """The rows of a file such as metrics.jsonl, as `read_metrics`; `field` is what each row has, a number."""
    return [row for _, row in _rows(expanded(path), field)]


def append_row(path: str | Path, row: Mapping[str, Any]) -> None:
    """Adds a row to a file of rows such as metrics.jsonl; makes the file and its folder where there is none.

    Raises:
        UserError: the disk is full or the folder cannot be written to.
    """
    path = expanded(path)
    with files.disk_errors(f"write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.open_file(path, "ab+") as rows:
            if rows.tell() and rows.seek(-1, 2) >= 0 and rows.read() != b"\n":
                rows.write(b"\n")  # what a killed process left half-written must not swallow this row
            rows.write(line_of(row).encode())


def check_appendable(path: str | Path) -> None:
    """Raises a UserError if rows cannot be added to this file; better known before they are computed."""
    path = expanded(path)
    with files.disk_errors(f"write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.open_file(path, "ab"):
            pass


def last_metrics(workdir: Path | str) -> dict[str, Any] | None:
    """The last row of metrics.jsonl that a training step wrote; None if there is none."""
    rows = [row for row in read_metrics(workdir) if "steps_per_second" in row]
    return rows[-1] if rows else None


def line_of(row: Mapping[str, Any]) -> str:
    """A row as a line of JSON; null where a number is not finite."""
    return json.dumps(_finite(row)) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(part) for name, part in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _load(path: Path) -> np.ndarray:
    """The array in losses.npy; one without fields and rows if there is no file."""
    try:
        with files.disk_errors(f"read {path}"):
            if not path.exists():
                return np.empty(0, [])
            losses = np.load(path)
    except DAMAGE as error:
        raise UserError(
            f"{path} is damaged ({plain(error)}). Move it away and give the command again."
        ) from error
    if losses.ndim != 1 or not losses.dtype.names:
        raise UserError(f"{path} is not a record of losses. Move it away and give the command again.")
    return losses


def warn_of_damage(path: Path, field: str = "step") -> None:
    """Warns of lines that cannot be read, but of a last one that is half-written: that is only a kill."""
    lines = _lines(path, field)
    damaged = [str(number) for number, (line, row) in enumerate(lines, start=1) if row is None]
    if damaged and lines[-1][1] is None and not path.read_bytes().endswith(b"\n"):
        damaged.pop()
    if damaged:
        logging.warning("%s is damaged: line %s cannot be read and is left out", path, ", ".join(damaged))


def _rows(path: Path, field: str = "step") -> list[tuple[str, dict[str, Any]]]:
    """The readable lines of a file such as metrics.jsonl, each with its row."""
    return [(line, row) for line, row in _lines(path, field) if row is not None]


def _lines(path: Path, field: str) -> list[tuple[str, dict[str, Any] | None]]:
    """The lines of a file such as metrics.jsonl, each with its row; None where it cannot be read."""
    with files.disk_errors(f"read {path}"):
        if not path.exists():
            return []
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows: list[tuple[str, dict[str, Any] | None]] = []
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):  # half-written when the process was killed, or damaged
            row = None
        good = isinstance(row, dict) and isinstance(row.get(field, ""), int | None)
        rows.append((line, row if good else None))
    return rows


def _warn_of_gaps(workdir: Path, first_step: int) -> None:
    """Warns where the records lack steps that were trained: the files were removed or cut."""
    losses = read_losses(workdir)
    columns = [] if losses is None else [losses[name][:first_step] for name in losses.dtype.names or ()]
    kept = int((~np.isnan(columns)).any(axis=0).sum()) if columns else 0
    if kept < first_step:
        logging.warning(
            "%s lacks %d of the %d steps that were trained: they are in no curve any more",
            workdir / LOSSES,
            first_step - kept,
            first_step,
        )
    if first_step and not (workdir / METRICS).exists():
        logging.warning("%s is not there: its rows until step %d are lost", workdir / METRICS, first_step)


def _unfinished_interval(workdir: Path, first_step: int) -> list[dict[str, np.ndarray]]:
    """What was recorded between the last row and `first_step`: the row that comes next needs it."""
    row, losses = last_metrics(workdir), read_losses(workdir)
    begun = row["step"] if row else 0
    if losses is None or begun >= first_step:
        return []
    return [{name: losses[name][begun:first_step] for name in losses.dtype.names or ()}]


def _means(interval: list[dict[str, np.ndarray]]) -> dict[str, float]:
    """Each metric's mean over the parts of an interval, without the NaNs; NaN where there is nothing else."""
    names = dict.fromkeys(name for part in interval for name in part)
    means = {}
    for name in names:
        values = np.concatenate([part[name] for part in interval if name in part])
        values = values[~np.isnan(values)]
        means[name] = float(values.mean(dtype=np.float64)) if values.size else math.nan
    return means


def _drop_rows_after(path: Path, first_step: int) -> None:
    files.check_regular(path)  # reading a device or a pipe might never end
    warn_of_damage(path)
    kept = "".join(line + "\n" for line, row in _rows(path) if (row["step"] or 0) <= first_step)
    if path.exists():
        files.write_atomically(path, kept.encode())
