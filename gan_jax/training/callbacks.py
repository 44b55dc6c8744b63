"""The periodic work of a run: rows of the log, pictures, scores and checkpoints.

Each is a `Callback` of the loop. On many processes every one calls all of them: the first one writes the rows
and pictures and measures, on its own devices, while the others wait until it says whether to save;
checkpoints are written by all.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from gan_jax.config.build import Plan
from gan_jax.core.loop import StepMetrics
from gan_jax.core.state import TrainState
from gan_jax.distributed import parallel
from gan_jax.distributed.hosts import ALONE, Hosts
from gan_jax.evaluation.evaluate import Evaluator, held_out_of
from gan_jax.evaluation.generated import GeneratedSet, GeneratedSetMaker
from gan_jax.evaluation.networks import open_network
from gan_jax.evaluation.protocol import WHILE_TRAINING, Record, column, from_row
from gan_jax.evaluation.sources.sources import dataset_source
from gan_jax.inference.sample import ImageSampler, make_sampler
from gan_jax.summaries.logs import NoLog, RunLog, read_losses, read_metrics
from gan_jax.summaries.pictures import curves, save_png
from gan_jax.training.checkpoint import Checkpoints
from gan_jax.training.divergence import check_finite, check_state
from gan_jax.training.pictures import samples_pictures
from gan_jax.training.restore import BEST
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import write_json

NOTE = f"{BEST}/best.json"  # in the run's folder
SEED = 0  # of the latents: the same at every evaluation, so that their noise does not hide a trend


@dataclass(frozen=True)
class RecordLosses:
    """Keeps the metrics of every step, and ends the run where a loss is not finite."""

    log: RunLog | NoLog

    def __call__(self, step: int, metrics: StepMetrics) -> None:
        """Takes the metrics of the steps that end at `step`."""
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
    """Samples from the run's fixed latents, and the curves of the losses."""

    def __init__(self, plan: Plan, folder: Path, log: RunLog | NoLog, hosts: Hosts = ALONE) -> None:
        self.every_steps = plan.sample_every_steps
        self._plan = plan
        self._folder = folder
        self._log = log
        self._hosts = hosts
        self._samplers: dict[int, ImageSampler] = {}  # by the first step of the phase

    def __call__(self, step: int, state: TrainState, metrics: StepMetrics) -> None:
        """Draws both."""
        check_state(step, state)
        self.draw(step, state)
        losses = read_losses(self._folder) if self._hosts.is_first else None
        if losses is not None:
            curves(losses, self._folder / "curves.png")

    def draw(self, step: int, state: TrainState) -> None:
        """Draws the samples."""
        state = parallel.gather_to_local_device(state)
        if not self._hosts.is_first:
            return
        phase = self._plan.phase_before(step)
        if phase.start not in self._samplers:
            self._samplers[phase.start] = make_sampler(
                phase.algorithm, self._plan.spec, self._plan.conditions(phase)
            )
        for name, picture in samples_pictures(self._plan, self._samplers[phase.start], state).items():
            save_png(self.file(step, name), picture)
            self._log.picture(step, f"samples_{name}" if name else "samples", picture)

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
        periodic.open(open_evaluator(plan, parallel.make_mesh(list(devices))), own)
        return True

    hosts.broadcast_from_first(open_here)
    return periodic


def open_evaluator(plan: Plan, mesh: jax.sharding.Mesh) -> Evaluator:
    """What the run measures while it trains.

    Raises:
        UserError: it measures nothing, or something that a metric needs is missing.
    """
    asked = plan.evaluation
    real = dataset_source(plan.dataset)
    return Evaluator(
        asked.names,
        real,
        open_network(asked.network, real, data_dir=plan.data_dir),
        num_fakes=asked.num,
        held_out=held_out_of(real, plan.data_dir),
        mesh=mesh,
        progress=False,
    )


def best_note(folder: Path) -> dict[str, Any]:
    """Why the checkpoint in a run's folder `best` is there: score, value, step, column (of the protocol).

    Raises:
        UserError: it is not said, or damaged.
    """
    try:
        note = json.loads((folder / NOTE).read_text())
        return {name: note[name] for name in ("score", "value", "step", "column")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / NOTE} cannot be read ({error!r})") from None


class PeriodicEvaluator:
    """Scores, and the best checkpoint beside the newest: the evaluations of one start of a run."""

    _evaluator: Evaluator
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
        self._best = Checkpoints(folder / BEST, keep=1, hosts=hosts)
        self._seconds = 0.0  # spent here

    def open(self, evaluator: Evaluator, state: TrainState) -> None:
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
        self._so_far = self._best_so_far() if self._hosts.is_first else {}
        self._started = time.monotonic()

    def __call__(self, step: int, state: TrainState, metrics: StepMetrics) -> None:
        """Measures; a best state is saved in the folder `best` too."""
        check_state(step, state)
        begun, own = time.monotonic(), parallel.gather_to_local_device(state)
        measured: list[Record] = []

        def measure_here() -> dict[str, Any] | None:
            try:
                measured.append(self._evaluator(self.fake(own)))
            except UserError as error:  # what cannot be measured must not end a training
                self._log.say(f"step {step}: not measured: {error}")
                return None
            return self._note_if_best(measured[0])

        note = self._hosts.broadcast_from_first(measure_here)
        if note is not None:
            self._best.save(state)
            if self._hosts.is_first:
                write_json(self._folder / NOTE, note)
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
        """Waits until the best checkpoint is on the disk."""
        self._best.close()

    def _note_if_best(self, record: Record) -> dict[str, Any] | None:
        """What is noted beside the checkpoint of the best score so far, if it is the best so far."""
        plan = self._plan.evaluation
        if plan.ranked_by is None:
            return None
        score = record.scores[plan.ranked_by]
        identity = column(record.setting, plan.ranked_by, score)
        before = self._so_far.get(identity)
        if score.value == score.value and (before is None or plan.is_better(score.value, before)):
            if before is None:
                self._say_what_is_replaced(identity)
            self._so_far[identity] = score.value
            return {"score": plan.ranked_by, "value": score.value, "step": record.step, "column": identity}
        return None

    def _say_what_is_replaced(self, identity: str) -> None:
        """Where the best checkpoint so far is one by another score or protocol."""
        try:
            note = best_note(self._folder)
        except UserError:
            return  # there is none
        if note["column"] != identity:
            self._log.say(
                f"the best checkpoint so far (step {note['step']}, {note['score']} {note['value']:.4g}) was "
                "chosen by another score or protocol: it is replaced"
            )

    def _best_so_far(self) -> dict[str, float]:
        """The best value of the ranking score that the run has measured while training, for each protocol."""
        plan = self._plan.evaluation
        found: dict[str, float] = {}
        if plan.ranked_by is None:
            return found
        records = [from_row(row) for row in read_metrics(self._folder)]
        for record in records:
            if record is None or record.which != WHILE_TRAINING or plan.ranked_by not in record.scores:
                continue
            score = record.scores[plan.ranked_by]
            identity = column(record.setting, plan.ranked_by, score)
            if score.value == score.value and (
                identity not in found or plan.is_better(score.value, found[identity])
            ):
                found[identity] = score.value
        return found
