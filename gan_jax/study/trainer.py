"""Trains the runs of one group together: the loop of `train.py` for many runs, with one state of all.

Every interval is that of the config. What is measured is kept in history.jsonl of the group's folder, and
the states in its checkpoints, until all runs are done: then their results are handed over.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.config.build import Plan, example_batch
from gan_jax.core.algorithm import Metrics
from gan_jax.core.state import TrainState
from gan_jax.data import Feed, IndexSampler, make_feed
from gan_jax.distributed import many_runs, parallel
from gan_jax.evaluation.evaluate import Evaluator
from gan_jax.evaluation.generated import GeneratedSetMaker
from gan_jax.evaluation.protocol import WHILE_TRAINING, Record
from gan_jax.inference.sample import make_sampler
from gan_jax.study.groups import Group
from gan_jax.study.result import Result
from gan_jax.summaries.logs import append_row, read_rows
from gan_jax.summaries.pictures import save_png
from gan_jax.training.callbacks import SEED
from gan_jax.training.checkpoint import Checkpoints
from gan_jax.training.divergence import find_divergence
from gan_jax.training.input import make_fetch
from gan_jax.training.pictures import samples_picture
from gan_jax.utils import files
from gan_jax.utils.errors import UserError
from gan_jax.utils.interrupt import Interrupted, StopRequest
from gan_jax.utils.provenance import describe_environment
from gan_jax.utils.tree import PyTree

HISTORY = "history.jsonl"


class GroupTrainer:
    """One start of a group.

    Args:
        group: the runs.
        plan: of the group's config.
        evaluator: what measures each run.
        folder: the group's own, new or of an earlier start.
        say: shows a line.
        advance: is told how many train steps, of all runs, have been made, or were there already.
    """

    def __init__(
        self,
        group: Group,
        plan: Plan,
        evaluator: Evaluator,
        folder: Path,
        *,
        say: Callable[[str], None],
        advance: Callable[[int], None],
    ) -> None:
        self.group = group
        self.plan = plan
        self.evaluator = evaluator
        self.folder = folder
        self.say = say
        self.advance = advance
        self.mesh = parallel.mesh_of_at_most(len(group.runs))
        # As many as the devices can share; what the copies of the last run do is not looked at.
        self.slots = -(-len(group.runs) // self.mesh.size) * self.mesh.size
        self.checkpoints = Checkpoints(folder / "checkpoints", keep=1)
        self.fakes = GeneratedSetMaker("study", plan.algorithm, plan.spec)
        self.diverged: dict[int, int] = {}  # run -> step
        self.scores: list[dict[str, list[tuple[int, float]]]] = [{} for _ in group.runs]
        self.last: Record | None = None
        self.seconds = 0.0

    def run(self, stop: StopRequest) -> tuple[list[Result], TrainState]:
        """Trains to the end; the results of all runs, and their last states.

        Raises:
            Interrupted: it was asked to stop; the states were saved.
        """
        plan, states = self.plan, self.restore_or_init()
        feeds = [self.feed(run.seed) for run in self.group.runs]
        try:
            return self.loop(states, feeds, stop, int(states.step), plan.num_steps)
        finally:
            for feed in feeds:
                feed.close()
            self.checkpoints.close()

    def loop(
        self, states: TrainState, feeds: list[Feed], stop: StopRequest, step: int, last: int
    ) -> tuple[list[Result], TrainState]:
        """Calls, and what is due between them."""
        plan, begun, spent = self.plan, time.monotonic(), self.seconds
        call = many_runs.compile_runs(
            self.group.algorithm_of(plan.spec),
            make_fetch(feeds[0], plan.transforms),
            self.mesh,
            plan.steps_per_call,
            many_runs.many_runs_at_once(),
        )
        constants = parallel.place(feeds[0].constants, parallel.replicated(self.mesh))
        numbers = self.placed([{name: x[i] for name, x in self.group.numbers.items()} for i in self.indices])
        pending: list[tuple[int, Metrics]] = []
        while step < last and stop.signum is None and len(self.diverged) < len(self.group.runs):
            count = min(self.boundary(step) - step, plan.steps_per_call)
            items = self.placed([feeds[i].get(step, count) for i in self.indices])
            states, metrics = call(states, numbers, constants, items, jnp.int32(count))
            pending.append((count, metrics))
            step += count
            self.advance(count * len(self.group.runs))
            measured = step == last or step % plan.evaluation.every_steps == 0
            saved = step < last and step % plan.checkpoint_every_steps == 0
            if measured or saved or step % plan.log_every_steps == 0:
                self.look(step, pending)
                pending = []
            self.seconds = spent + time.monotonic() - begun
            if measured:
                self.measure(step, states)
            if saved:  # last: what is due at a step is there whenever a run continues from that step
                self.save(step, states)
        if stop.signum is not None and step < last:
            self.look(step, pending)
            self.save(step, states)
            self.checkpoints.wait()
            raise Interrupted(stop.signum, "stopped and saved; the same command continues the study")
        return self.results(), states

    @property
    def indices(self) -> list[int]:
        """The run in each slot."""
        return [min(slot, len(self.group.runs) - 1) for slot in range(self.slots)]

    def placed(self, each: list[PyTree]) -> PyTree:
        """What every slot has, leaves [slots, ...], on its device."""
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *each)
        return parallel.place(stacked, parallel.split_on(self.mesh, 0))

    def feed(self, seed: int) -> Feed:
        """The batches that the run with this seed has when it is trained alone."""
        given = self.plan.sampler
        sampler = IndexSampler(
            given.num_examples,
            given.batch_size,
            minibatches=given.minibatches,
            seed=seed,
            remainder=given.remainder,
        )
        plan = self.plan
        return make_feed(plan.dataset, sampler, steps_per_call=plan.steps_per_call, placement=plan.placement)

    def boundary(self, step: int) -> int:
        """The next step after which something is looked at or written."""
        plan = self.plan
        intervals = (plan.log_every_steps, plan.checkpoint_every_steps, plan.evaluation.every_steps)
        return min(plan.num_steps, *((step // every + 1) * every for every in intervals))

    # The past.

    def restore_or_init(self) -> TrainState:
        """The newest good checkpoint with its history, or fresh states."""
        batch = example_batch(self.plan.spec, self.plan.batch_size)
        one = parallel.mesh_of_at_most(1)
        like = many_runs.abstract_runs(self.plan.algorithm, len(self.group.runs), batch, one)
        states = self.checkpoints.restore(like)
        step = 0 if states is None else int(states.step)
        rows = [row for row in read_rows(self.folder / HISTORY) if (row["step"] or 0) <= step]
        (self.folder / HISTORY).unlink(missing_ok=True)
        for row in rows if states is not None else ():
            self.note(row)
        if states is not None:
            self.advance(step * len(self.group.runs))
            return jax.device_put(chosen_runs(states, self.indices), many_runs.runs_shardings(self.mesh))
        keys = jnp.stack([jax.random.key(self.group.runs[i].seed) for i in self.indices])
        return many_runs.initial_runs(self.plan.algorithm, keys, batch, self.mesh)

    def note(self, row: dict[str, Any]) -> None:
        """Takes a row of the history in, and writes it down."""
        append_row(self.folder / HISTORY, row)
        if "seconds" in row:
            self.seconds = row["seconds"]
        elif "diverged_at" in row:
            self.diverged[row["run"]] = row["diverged_at"]
        else:
            for name, value in row["scores"].items():
                known = self.scores[row["run"]].setdefault(name, [])
                known.append((row["step"], float("nan") if value is None else float(value)))

    def save(self, step: int, states: TrainState) -> None:
        """A checkpoint of all runs, which fits any number of devices."""
        self.note({"step": step, "seconds": round(self.seconds, 3)})
        self.checkpoints.save(chosen_runs(states, range(len(self.group.runs))))

    # The present.

    def look(self, step: int, pending: list[tuple[int, Metrics]]) -> None:
        """Finds the runs whose losses are not finite; they are measured no more."""
        fetched = jax.device_get(pending)
        for index in range(len(self.group.runs)):
            if index in self.diverged or not fetched:
                continue
            parts = [
                {name: values[index, :count] for name, values in found.items()} for count, found in fetched
            ]
            metrics = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            found = find_divergence(step, metrics)
            if found is not None:
                self.lose(index, step, *found)

    def lose(self, index: int, step: int, diverged_at: int, why: str) -> None:
        """Gives up a run; the others do not notice."""
        self.note({"step": step, "run": index, "diverged_at": diverged_at})
        name = self.group.runs[index].name
        self.say(f"{name} diverged at step {diverged_at} ({why}): it is measured no more")

    def measure(self, step: int, states: TrainState) -> None:
        """Scores of every run that has not diverged."""
        ema = jax.device_get(states.ema)
        for index in range(len(self.group.runs)):
            if index in self.diverged:
                continue
            try:
                record = self.evaluator(self.fake(step, index, ema))
            except UserError as error:
                self.lose(index, step, step, str(error))
                continue
            values = {name: _value(score.value) for name, score in record.scores.items()}
            self.note({"step": step, "run": index, "scores": values})
            self.last = record

    def fake(self, step: int, index: int, ema: PyTree) -> Any:
        """The images of one run's state, to be measured."""
        return self.fakes(
            sampled_state(step, index, ema), seed=SEED, which=WHILE_TRAINING, averaged=self.plan.averaged
        )

    def results(self) -> list[Result]:
        """What all runs gave."""
        environment = describe_environment()
        better, protocol = {}, {}
        if self.last is not None:
            better = {name: score.better for name, score in self.last.scores.items()}
            protocol = {
                name: f"{self.last.setting}; {score.described}" for name, score in self.last.scores.items()
            }
        return [
            Result(
                variant=run.variant,
                seed=run.seed,
                digest=run.digest,
                overrides=dict(run.overrides),
                steps=self.diverged.get(index, self.plan.num_steps),
                diverged_at=self.diverged.get(index),
                scores={name: self.scores[index].get(name, []) for name in better},
                better=better,
                protocol=protocol,
                seconds=round(self.seconds / len(self.group.runs), 3),
                environment=environment,
            )
            for index, run in enumerate(self.group.runs)
        ]

    def picture(self, state: TrainState, path: Path) -> None:
        """Draws samples of one state, as `sampled_state` makes them; the same latents for every state."""
        sampler = make_sampler(self.plan.algorithm, self.plan.spec)
        save_png(path, samples_picture(self.plan, sampler, state))

    def forget(self) -> None:
        """Deletes the group's folder, once its results are written."""
        with files.disk_errors(f"delete {self.folder}"):
            shutil.rmtree(self.folder)


def chosen_runs(states: TrainState, indices: Sequence[int]) -> TrainState:
    """Some of the runs, in this order."""
    places = jnp.array(indices, jnp.int32)
    chosen: TrainState = jax.tree.map(lambda x: x[places], states.replace(step=None))
    return chosen.replace(step=states.step)


def sampled_state(step: int, index: int, ema: PyTree) -> TrainState:
    """What `Algorithm.sample` reads of one run's state; `ema` is that of all, leaves [R, ...]."""
    own = jax.tree.map(lambda x: x[index], ema)
    nothing: Any = ()
    return TrainState(
        step=jnp.int32(step),
        key=jax.random.key(0),
        generator=nothing,
        discriminator=nothing,
        ema=own,
        extra=(),
    )


def _value(value: float) -> float | str | None:
    """For JSON: `append_row` makes null of NaN, and infinity has no place in it."""
    return str(value) if value in (float("inf"), float("-inf")) else value
