"""The periodic work of a run: rows of the log, pictures, scores and checkpoints.

Each is a `Callback` of the loop. On many processes every one calls all of them: the first one writes the rows
and pictures and measures, on its own devices, while the others wait until it says whether to save;
checkpoints are written by all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from gan_jax.config.build import Plan
from gan_jax.core.loop import StepMetrics
from gan_jax.core.state import TrainState
from gan_jax.distributed import parallel
from gan_jax.distributed.hosts import ALONE, Hosts
from gan_jax.evaluation.both_ways import BothWays
from gan_jax.evaluation.evaluate import Evaluator
from gan_jax.evaluation.generated import GeneratedSet, GeneratedSetMaker
from gan_jax.evaluation.protocol import WHILE_TRAINING, Record, from_row
from gan_jax.inference.conditions import Conditions
from gan_jax.inference.sample import ImageSampler, compared_kind
from gan_jax.summaries.logs import NoLog, RunLog, read_losses, read_metrics
from gan_jax.summaries.overview import overview
from gan_jax.summaries.pictures import save_png
from gan_jax.training.baselines import baselines
from gan_jax.training.best import BestCheckpoint, Note
from gan_jax.training.checkpoint import Checkpoints
from gan_jax.training.divergence import check_finite, check_state
from gan_jax.training.evaluators import open_evaluator
from gan_jax.training.pictures import Picture, picture_samplers, reals_like_samples, samples_pictures
from gan_jax.utils.errors import UserError

SEED = 0  # of the latents: the same at every evaluation, so that their noise does not hide a trend


@dataclass(frozen=True)
class RecordLosses:
    """Keeps the metrics of every step, and ends the run where a loss is not finite or its folder is gone."""

    log: RunLog | NoLog
    check_folder: Callable[[], None] = lambda: None

    def __call__(self, step: int, metrics: StepMetrics) -> None:
        """Takes the metrics of the steps that end at `step`."""
        self.check_folder()
        self.log.record(step, metrics)
        check_finite(step, metrics)


@dataclass(frozen=True)
class LogRow:
    """A row of the log: the means since the last one."""

    every_steps: int
    log: RunLog | NoLog

    def __call__(self, step: int, state: TrainState, metrics: StepMetrics) -> None:
        """Writes it; the log has been given the metrics of every step already."""
        self.log.row(step)


class SamplePictures:
    """Samples from the run's fixed latents, and overview.png: they beside reals, and the losses' curves."""

    def __init__(self, plan: Plan, folder: Path, log: RunLog | NoLog, hosts: Hosts = ALONE) -> None:
        self.every_steps = plan.sample_every_steps
        self._plan = plan
        self._folder = folder
        self._log = log
        self._hosts = hosts
        self._samplers: dict[
            int, dict[str, tuple[ImageSampler, Conditions | None]]
        ] = {}  # by a phase's start
        self._reals: Picture | None = None  # drawn once

    def __call__(self, step: int, state: TrainState, metrics: StepMetrics) -> None:
        """Draws them."""
        check_state(step, state)
        samples = self.draw(step, state)
        losses = read_losses(self._folder) if self._hosts.is_first else None
        if losses is None:
            return
        if self._reals is None:
            self._reals = reals_like_samples(self._plan)
        overview(
            samples.pixels,
            self._reals.pixels,
            losses,
            self.overview,
            f"samples at step {step:,}",
            samples.rows,
            samples.columns,
            self._reals.columns,
            baselines(self._plan.algorithm),
        )

    def draw(self, step: int, state: TrainState) -> Any:
        """Draws the samples, and returns the picture of those that are compared with the data."""
        state = parallel.gather_to_local_device(state)
        if not self._hosts.is_first:
            return None
        phase = self._plan.phase_before(step)
        if phase.start not in self._samplers:
            self._samplers[phase.start] = picture_samplers(self._plan, phase)
        drawn: dict[str, Picture] = {}
        for direction, (sampler, rows) in self._samplers[phase.start].items():
            kinds = samples_pictures(self._plan, sampler, state, rows)
            drawn |= {direction: compared_kind(kinds)} if direction else kinds
        for name, found in drawn.items():
            picture = found.named()
            save_png(self.file(step, name), picture)
            self._log.picture(step, f"samples_{name}" if name else "samples", picture)
        return compared_kind(drawn)

    @property
    def overview(self) -> Path:
        """Where the samples beside reals and the curves are."""
        return self._folder / "overview.png"

    def file(self, step: int, name: str = "") -> Path:
        """Where the samples of this step are, those of a kind where the method makes several."""
        return self._folder / "samples" / f"step_{step:07d}{name and f'_{name}'}.png"


@dataclass(frozen=True)
class SaveCheckpoint:
    """A checkpoint; comes last: what else is due at its step is there whenever a run continues from it."""

    every_steps: int
    checkpoints: Checkpoints

    def __call__(self, step: int, state: TrainState, metrics: StepMetrics) -> None:
        """Saves the state, in the background."""
        check_state(step, state)
        self.checkpoints.save(state)


def make_periodic_evaluator(
    plan: Plan, folder: Path, mesh: jax.sharding.Mesh, state: TrainState, hosts: Hosts = ALONE
) -> PeriodicEvaluator | None:
    """What measures this run, or None. Opens the network and the reals' features: minutes, the first time.

    Raises:
        UserError: something that a metric needs is missing.
    """
    if not plan.evaluation.names:
        return None
    devices = mesh.local_devices
    periodic = PeriodicEvaluator(plan, folder, devices, hosts)
    own = parallel.gather_to_local_device(state)

    def open_here() -> bool:
        mesh = parallel.make_mesh(list(devices))
        periodic.open(open_evaluator(plan, mesh, periodic.fake(own)), own)
        return True

    hosts.broadcast_from_first(open_here)
    return periodic


class PeriodicEvaluator:
    """Scores, and the best checkpoint beside the newest: the evaluations of one start of a run."""

    _evaluator: Evaluator | BothWays
    _log: RunLog | NoLog

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        devices: Sequence[jax.Device] | None = None,
        hosts: Hosts = ALONE,
    ) -> None:
        self.every_steps = plan.evaluation.every_steps
        self._plan = plan
        self._folder = folder
        self._hosts = hosts
        self._devices = devices
        self._makers: dict[int, GeneratedSetMaker] = {}  # by the first step of the phase
        self._best = BestCheckpoint(folder, hosts)
        self._so_far: Note | None = None  # of the best checkpoint that is there
        self._seconds = 0.0  # spent here

    def open(self, evaluator: Evaluator | BothWays, state: TrainState) -> None:
        """Prepares the process that measures.

        Raises:
            UserError: something that a metric needs is missing.
        """
        evaluator.check_fake(self.fake(state))
        evaluator.prepare()
        self._evaluator = evaluator

    def begin(self, log: RunLog | NoLog) -> None:
        """Takes over the run's log, from which later rows have been dropped."""
        self._log = log
        if self._hosts.is_first and (score := self._plan.evaluation.ranked_by):
            is_better = self._plan.evaluation.is_better
            self._so_far = self._best.begin(
                self._measured(score), lambda one, other: is_better(one["value"], other["value"]), log.say
            )
        self._started = time.monotonic()

    def __call__(self, step: int, state: TrainState, metrics: StepMetrics) -> None:
        """Measures; a best state is saved in the folder `best` too.

        The row comes after it, and so does the run's own checkpoint: a run that continues from there has its
        best checkpoint, however slow the disk is.
        """
        check_state(step, state)
        begun, own = time.monotonic(), parallel.gather_to_local_device(state)
        measured: list[Record] = []

        def measure_here() -> Note | None:
            try:
                measured.append(self._evaluator(self.fake(own)))
            except UserError as error:  # what cannot be measured must not end a training
                self._log.say(f"step {step}: not measured: {error}")
                return None
            return self._note_if_best(measured[0])

        note = self._hosts.broadcast_from_first(measure_here)
        if note is not None:
            self._best.save(state, note)
        for record in measured:
            self._tell(record, begun)

    def _tell(self, record: Record, begun: float) -> None:
        """Writes down what was measured since `begun`."""
        values = {name: score.value for name, score in record.scores.items()}
        seconds = time.monotonic() - begun
        self._seconds += seconds
        share = self._seconds / max(time.monotonic() - self._started, 1e-9)
        self._log.evaluation(record.row(), values, seconds)
        shown = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
        self._log.say(
            f"step {record.step}: {shown} ({seconds:.1f} s; evaluation is {share:.1%} of the time so far)"
        )

    def fake(self, state: TrainState) -> GeneratedSet:
        """The images of a state, to be measured."""
        plan = self._plan
        phase = plan.phase_before(int(state.step))
        if phase.start not in self._makers:
            self._makers[phase.start] = GeneratedSetMaker(
                self._folder.name, phase.algorithm, plan.spec, self._devices, plan.conditions(phase)
            )
        return self._makers[phase.start](state, seed=SEED, which=WHILE_TRAINING, averaged=plan.averaged)

    def close(self) -> None:
        """Gives back what saves the best checkpoint."""
        self._best.close()

    def _note_if_best(self, record: Record) -> Note | None:
        """What is noted beside the checkpoint of the best score so far, if it is the best so far."""
        plan, before = self._plan.evaluation, self._so_far
        if plan.ranked_by is None:
            return None
        note = note_of(record, plan.ranked_by)
        if note["value"] != note["value"]:
            return None
        if before is not None and before["column"] != note["column"]:
            self._log.say(
                f"the best checkpoint so far (step {before['step']}, {before['score']} "
                f"{before['value']:.4g}) was chosen by another score or protocol: it is replaced"
            )
        elif before is not None and not plan.is_better(note["value"], before["value"]):
            return None
        self._so_far = note
        return note

    def _measured(self, score: str) -> dict[int, Note]:
        """The note of every step of which this score was measured while training."""
        records = [from_row(row) for row in read_metrics(self._folder)]
        notes = [
            note_of(record, score)
            for record in records
            if record is not None and record.which == WHILE_TRAINING and score in record.scores
        ]
        return {note["step"]: note for note in notes if note["value"] == note["value"]}


def note_of(record: Record, score: str) -> Note:
    """What best.json says of a checkpoint with these scores, of which this one ranks it."""
    value = record.scores[score].value
    return {"score": score, "value": value, "step": record.step, "column": record.column(score)}
