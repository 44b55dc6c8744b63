"""A run's rows, scores and pictures in Weights & Biases or MLflow, as callbacks of its training.

They mirror what the run writes itself, `metrics.jsonl` and `samples/`. A training that goes on where it was
stopped goes on in the same record, which is found by what the run's config.json says of its first start.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gan_jax.core.loop import StepMetrics
from gan_jax.evaluation.protocol import WHILE_TRAINING, from_row
from gan_jax.summaries.logs import read_metrics
from gan_jax.training.workdir import read_record
from gan_jax.utils.checks import check_count
from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded

_SAMPLES, _STEP = "samples", "step_"
_TAG = "gan_jax_run"  # of MLflow's runs
_IN_A_CALL, _CHARACTERS = 100, 500  # what MLflow takes: parameters and metrics, and of a parameter's value


class RunLogger(ABC):
    """What is sent, and when; a subclass says how.

    Args:
        workdir: the run's folder.
        every_steps: what is new is sent after every step that this divides, and after the last one.
    """

    def __init__(self, workdir: str | Path, every_steps: int) -> None:
        check_count(every_steps, "every_steps")
        self.every_steps = every_steps
        self._folder = expanded(workdir)
        self._sent: int | None = None  # all up to this step is there

    def __call__(self, step: int, state: Any, metrics: StepMetrics) -> None:
        """Sends what the run has recorded since the last call. Of several processes the first one does."""
        if jax.process_index() > 0:
            return
        record = read_record(self._folder)
        if self._sent is None:
            name = self._folder.resolve().name
            first = json.dumps([name, record["starts"][0]], sort_keys=True)
            known = self.begin(name, hashlib.sha256(first.encode()).hexdigest()[:16], record["config"])
            self._sent = step - np.shape(next(iter(metrics.values())))[-1] if known else -1
        values, pictures = _values(self._folder, self._sent), _pictures(self._folder, self._sent)
        for at in sorted({*values, *pictures}):
            self.send(at, values.get(at, {}), pictures.get(at, {}))
        self._sent = step
        if step >= record["config"]["num_steps"]:
            self.finish()

    @abstractmethod
    def begin(self, name: str, identity: str, config: Mapping[str, Any]) -> bool:
        """Opens the record with this identity, or a new one; whether it was there before."""

    @abstractmethod
    def send(self, step: int, values: Mapping[str, float], pictures: Mapping[str, Path]) -> None:
        """Sends what belongs to a step, by name: finite numbers, and files of pictures."""

    @abstractmethod
    def finish(self) -> None:
        """Closes the record: the run has all its steps."""


class WandbLogger(RunLogger):
    """A run in Weights & Biases, as a callback of its training: config, rows, scores and samples.

    Args:
        workdir: the run's folder, as `gan_jax.train` is given it.
        project: of Weights & Biases.
        every_steps: what is new is sent after every step that this divides, and after the last one.

    Raises:
        UserError: the package `wandb` is not installed.
        ValueError: every_steps is no positive integer.

    Examples:
        >>> import gan_jax
        >>> logger = gan_jax.WandbLogger("runs/small", project="gans")  # doctest: +SKIP
        >>> gan_jax.train("dcgan_shapes", "runs/small", callbacks=[logger])  # doctest: +SKIP
    """

    def __init__(self, workdir: str | Path, project: str, every_steps: int = 100) -> None:
        super().__init__(workdir, every_steps)
        self._wandb = _imported("wandb", "WandbLogger")
        self._project = project

    def begin(self, name: str, identity: str, config: Mapping[str, Any]) -> bool:
        """See `RunLogger`."""
        self._run = self._wandb.init(
            project=self._project, name=name, id=identity, config=dict(config), resume="allow"
        )
        return bool(self._run.resumed)

    def send(self, step: int, values: Mapping[str, float], pictures: Mapping[str, Path]) -> None:
        """In one call, since Weights & Biases takes nothing for a step before the last one."""
        images = {name: self._wandb.Image(str(path)) for name, path in pictures.items()}
        self._run.log({**values, **images}, step=step)

    def finish(self) -> None:
        """See `RunLogger`."""
        self._run.finish()


class MLflowLogger(RunLogger):
    """A run in MLflow, as a callback of its training: config, rows, scores and samples.

    The server is the one that MLflow itself is told ($MLFLOW_TRACKING_URI).

    Args:
        workdir: the run's folder, as `gan_jax.train` is given it.
        experiment: of MLflow; made where there is none of this name.
        every_steps: what is new is sent after every step that this divides, and after the last one.

    Raises:
        UserError: the package `mlflow` is not installed.
        ValueError: every_steps is no positive integer.

    Examples:
        >>> import gan_jax
        >>> logger = gan_jax.MLflowLogger("runs/small", experiment="gans")  # doctest: +SKIP
        >>> gan_jax.train("dcgan_shapes", "runs/small", callbacks=[logger])  # doctest: +SKIP
    """

    def __init__(self, workdir: str | Path, experiment: str, every_steps: int = 100) -> None:
        super().__init__(workdir, every_steps)
        self._mlflow = _imported("mlflow", "MLflowLogger")
        self._entities = _imported("mlflow.entities", "MLflowLogger")
        self._experiment = experiment

    def begin(self, name: str, identity: str, config: Mapping[str, Any]) -> bool:
        """See `RunLogger`."""
        self._client = self._mlflow.MlflowClient()
        there = self._client.get_experiment_by_name(self._experiment)
        number = there.experiment_id if there else self._client.create_experiment(self._experiment)
        known = self._client.search_runs([number], f"tags.{_TAG} = '{identity}'")
        run = known[0] if known else self._client.create_run(number, run_name=name, tags={_TAG: identity})
        self._id = run.info.run_id
        if not known:
            fields = [self._entities.Param(*field) for field in _flat(config)]
            for start in range(0, len(fields), _IN_A_CALL):
                self._client.log_batch(self._id, params=fields[start : start + _IN_A_CALL])
        return bool(known)

    def send(self, step: int, values: Mapping[str, float], pictures: Mapping[str, Path]) -> None:
        """See `RunLogger`."""
        now = int(time.time() * 1000)
        rows = [self._entities.Metric(name, value, now, step) for name, value in values.items()]
        for start in range(0, len(rows), _IN_A_CALL):
            self._client.log_batch(self._id, metrics=rows[start : start + _IN_A_CALL])
        for path in pictures.values():
            self._client.log_artifact(self._id, str(path), _SAMPLES)

    def finish(self) -> None:
        """See `RunLogger`."""
        self._client.set_terminated(self._id)


def _imported(package: str, called: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        name = package.partition(".")[0]
        raise UserError(f"{called} needs a package that is not there: pip install {name}") from error


def _values(folder: Path, after: int) -> dict[int, dict[str, float]]:
    """By step the means of each row after a step, and the scores that were measured while training."""
    found: dict[int, dict[str, float]] = {}
    for row in read_metrics(folder):
        if row["step"] is None or row["step"] <= after:
            continue
        values = {name: value for name, value in row.items() if name not in ("step", "time", "evaluation")}
        record = from_row(row)
        if record is not None and record.which == WHILE_TRAINING:
            values |= {f"evaluation/{name}": score.value for name, score in record.scores.items()}
        kept = {name: x for name, x in values.items() if isinstance(x, int | float) and math.isfinite(x)}
        if kept:
            found.setdefault(row["step"], {}).update(kept)
    return found


def _pictures(folder: Path, after: int) -> dict[int, dict[str, Path]]:
    """By step the pictures of samples after a step: "samples", and "samples_KIND" where there are kinds."""
    found: dict[int, dict[str, Path]] = {}
    for path in sorted((folder / _SAMPLES).glob(f"{_STEP}*.png")):
        number, _, kind = path.stem.removeprefix(_STEP).partition("_")
        if number.isdigit() and int(number) > after:
            found.setdefault(int(number), {})[f"{_SAMPLES}_{kind}" if kind else _SAMPLES] = path
    return found


def _flat(config: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """The fields "a.b" of a config and their values in words, cut to what MLflow takes."""
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", str(value)[:_CHARACTERS]
