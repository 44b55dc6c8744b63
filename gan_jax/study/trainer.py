"""Trains the runs of one group together, with one state of all.

Every interval is that of the config. What is measured is kept in the history of the group's folder, and the
states in its checkpoints, until all runs are done: then their results are handed over.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.config.build import Plan, example_batch, phase_seed
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.loop import Every, PeriodicWork, StepMetrics, StepsCall, run_steps
from gan_jax.core.state import TrainState
from gan_jax.core.update import Metrics
from gan_jax.data import Feed, IndexSampler, make_feed
from gan_jax.distributed import many_runs, parallel
from gan_jax.distributed.memory import check_devices
from gan_jax.evaluation.both_ways import BothWays
from gan_jax.evaluation.evaluate import Evaluator
from gan_jax.evaluation.generated import GeneratedSetMaker
from gan_jax.evaluation.protocol import WHILE_TRAINING, Record
from gan_jax.inference.sample import compared_kind, make_sampler
from gan_jax.study.bar import Bar
from gan_jax.study.groups import Group
from gan_jax.study.history import History
from gan_jax.study.result import Result
from gan_jax.summaries.pictures import save_png
from gan_jax.training.callbacks import SEED
from gan_jax.training.checkpoint import Checkpoints
from gan_jax.training.divergence import find_divergence
from gan_jax.training.input import make_fetch
from gan_jax.training.pictures import samples_pictures
from gan_jax.utils import files
from gan_jax.utils.errors import UserError
from gan_jax.utils.interrupt import Interrupted, StopRequest
from gan_jax.utils.provenance import describe_environment
from gan_jax.utils.tree import PyTree


class GroupTrainer:
    """One start of a group.

    Args:
        group: the runs.
        plan: of the group's config.
        evaluator: what measures each run.
        folder: the group's own, new or of an earlier start.
        bar: shows how far it is.
    """

    def __init__(
        self,
        group: Group,
        plan: Plan,
        evaluator: Evaluator | BothWays,
        folder: Path,
        bar: Bar,
    ) -> None:
        self.group = group
        self.plan = plan
        self.evaluator = evaluator
        self.folder = folder
        self.bar = bar
        self.mesh = parallel.mesh_of_at_most(len(group.runs))
        # As many as the devices can share; what the copies of the last run do is not looked at.
        self.slots = -(-len(group.runs) // self.mesh.size) * self.mesh.size
        self.history = History(folder)
        self.checkpoints = Checkpoints(folder / "checkpoints", check=self.history.problem)
        self.fakes: dict[int, GeneratedSetMaker] = {}  # by the first step of the phase
        self.diverged: dict[int, int] = {}  # run -> step
        self.scores: list[dict[str, list[tuple[int, float]]]] = [{} for _ in group.runs]
        self.last: Record | None = None
        self.seconds = 0.0  # of training and measuring, in all starts

    def run(self, stop: StopRequest) -> tuple[list[Result], TrainState]:
        """Trains to the end; the results of all runs, and their last states.

        Raises:
            Interrupted: it was asked to stop; the states were saved.
        """
        with closing(self.checkpoints):
            return self.train(self.restore_or_init(), stop)

    def train(self, states: TrainState, stop: StopRequest) -> tuple[list[Result], TrainState]:
        """The steps from these states on."""
        plan, step = self.plan, int(states.step)
        self.begun = time.monotonic() - self.seconds  # as if it were the only start
        work = PeriodicWork(
            [
                Every(plan.log_every_steps, self.tell),
                Every(plan.evaluation.every_steps, self.measure),
                Every(plan.checkpoint_every_steps, self.save),
            ],
            plan.num_steps,
            self.look,
        )
        for number, phase in enumerate(plan.phases):
            if step >= phase.stop or stop.signum or not self.healthy:
                continue
            with contextlib.ExitStack() as held:
                feeds = [held.enter_context(closing(self.feed(run.seed, number))) for run in self.group.runs]
                if step == phase.start:
                    states = self.enter(states, number)
                states, step, _ = run_steps(
                    self.compile(feeds, number),
                    states,
                    step,
                    phase.stop,
                    phase.steps_per_call,
                    work,
                    lambda: stop.signum or not self.healthy,
                )
        if stop.signum and step < plan.num_steps:
            self.save(step, states)
            self.checkpoints.wait()
            raise Interrupted(stop.signum, "stopped and saved; the same command continues the study")
        return self.results(), states

    def compile(self, feeds: list[Feed], number: int) -> StepsCall[TrainState]:
        """The train steps of all runs in a phase as one compiled call, with their input."""
        plan, phase = self.plan, self.plan.phases[number]
        call = many_runs.compile_runs(
            self.group.algorithm_of(plan.spec, number),
            make_fetch(feeds[0], plan.transforms),
            self.mesh,
            phase.steps_per_call,
            many_runs.many_runs_at_once(),
        )
        constants = parallel.place(feeds[0].constants, parallel.replicated(self.mesh))
        numbers = self.numbers()

        def steps(states: TrainState, step: int, count: int) -> tuple[TrainState, Metrics]:
            items = self.placed([feeds[i].get(step - phase.start, count) for i in self.indices])
            return call(states, numbers, constants, items, jnp.int32(count))

        return steps

    def enter(self, states: TrainState, number: int) -> TrainState:
        """The states with which a phase begins."""
        if type(self.plan.phases[number].algorithm).enter is Algorithm.enter:
            return states
        enter = many_runs.enter_runs(self.group.algorithm_of(self.plan.spec, number), self.mesh)
        return enter(states, self.numbers())

    def numbers(self) -> PyTree:
        """The numbers in which the runs differ, of every slot."""
        return self.placed([{name: x[i] for name, x in self.group.numbers.items()} for i in self.indices])

    @property
    def healthy(self) -> list[int]:
        """The runs that have not diverged."""
        return [index for index in range(len(self.group.runs)) if index not in self.diverged]

    @property
    def indices(self) -> list[int]:
        """The run in each slot."""
        return [min(slot, len(self.group.runs) - 1) for slot in range(self.slots)]

    def placed(self, each: list[PyTree]) -> PyTree:
        """What every slot has, leaves [slots, ...], on its device."""
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *each)
        return parallel.place(stacked, parallel.split_on(self.mesh, 0))

    def feed(self, seed: int, number: int) -> Feed:
        """The batches that the run with this seed has in a phase when it is trained alone."""
        plan, phase = self.plan, self.plan.phases[number]
        given = phase.sampler
        sampler = IndexSampler(
            given.num_examples,
            given.batch_size,
            minibatches=given.minibatches,
            seed=phase_seed(seed, number),
            remainder=given.remainder,
        )
        return make_feed(plan.dataset, sampler, steps_per_call=phase.steps_per_call, placement=plan.placement)

    # The past.

    def restore_or_init(self) -> TrainState:
        """The newest checkpoint that is good and has its history, or fresh states.

        Raises:
            UserError: none of the checkpoints can be used, or the history tells of some that are not there.
        """
        batch = example_batch(self.plan.spec, self.plan.batch_size)
        one = parallel.mesh_of_at_most(1)
        like = many_runs.abstract_runs(self.plan.algorithm, len(self.group.runs), batch, one)
        needed = {f"the states of {len(self.group.runs)} runs": parallel.device_bytes(like) // self.mesh.size}
        check_devices(needed, self.mesh, "train fewer at once with --shard, or narrower networks")
        states = self.checkpoints.restore(like)
        step = None if states is None else int(states.step)
        for row in self.history.begin(step):
            self.take(row)
        self.check_rows()
        if states is not None:
            self.bar.skip(int(states.step) * len(self.group.runs))
            states = jax.device_put(chosen_runs(states, self.indices), many_runs.runs_shardings(self.mesh))
        else:
            keys = jnp.stack([jax.random.key(self.group.runs[i].seed) for i in self.indices])
            states = many_runs.initial_runs(self.plan.algorithm, keys, batch, self.mesh)
        if not self.plan.frozen:
            return states
        return states.replace(frozen=parallel.place_frozen(self.plan.frozen, self.mesh))

    def check_rows(self) -> None:
        """Raises a UserError unless every run was measured at the same steps, or is lost."""
        steps = [{step for values in self.scores[i].values() for step, _ in values} for i in self.healthy]
        everywhere = set().union(*steps)
        for index, found in zip(self.healthy, steps, strict=True):
            if missing := sorted(everywhere - found):
                raise UserError(
                    f"{self.history.path} lacks the scores of {self.group.runs[index].name} at step "
                    f"{missing[0]}: move {self.folder} away to train these runs anew"
                )

    def take(self, row: dict[str, Any]) -> None:
        """Takes a row of the history in."""
        if "seconds" in row:
            self.seconds = row["seconds"]
        elif "diverged_at" in row:
            self.diverged[row["run"]] = row["diverged_at"]
        else:
            for name, value in row["scores"].items():
                known = self.scores[row["run"]].setdefault(name, [])
                known.append((row["step"], float("nan") if value is None else float(value)))

    def note(self, row: dict[str, Any]) -> None:
        """Takes a row in, and writes it down."""
        self.history.add(row)
        self.take(row)

    # The present.

    def look(self, step: int, metrics: StepMetrics) -> None:
        """Finds the runs whose losses are not finite; they are measured no more."""
        self.seconds = time.monotonic() - self.begun
        for index in self.healthy:
            found = find_divergence(step, {name: values[index] for name, values in metrics.items()})
            if found is not None:
                self.lose(index, step, *found)

    def lose(self, index: int, step: int, diverged_at: int, why: str) -> None:
        """Gives up a run; the others do not notice."""
        self.note({"step": step, "run": index, "diverged_at": diverged_at})
        name = self.group.runs[index].name
        self.bar.say(f"{name} diverged at step {diverged_at} ({why}): it is measured no more")

    def tell(self, step: int, states: TrainState, metrics: StepMetrics) -> None:
        """Says how many train steps, of all runs, have been made."""
        self.bar.advance(next(iter(metrics.values())).shape[-1] * len(self.group.runs))

    def measure(self, step: int, states: TrainState, metrics: StepMetrics) -> None:
        """Scores of every run that has not diverged."""
        ema = jax.device_get(states.ema)
        for index in self.healthy:
            try:
                record = self.evaluator(self.fake(step, index, ema))
            except UserError as error:
                self.lose(index, step, step, str(error))
                continue
            values = {name: _value(score.value) for name, score in record.scores.items()}
            self.note({"step": step, "run": index, "scores": values})
            self.last = record

    def save(self, step: int, states: TrainState, metrics: StepMetrics | None = None) -> None:
        """A checkpoint of all runs, which fits any number of devices; the last step needs none."""
        if step < self.plan.num_steps:
            self.history.seal(step, self.seconds)
            self.checkpoints.save(chosen_runs(states, range(len(self.group.runs))))

    def fake(self, step: int, index: int, ema: PyTree) -> Any:
        """The images of one run's state, to be measured."""
        phase = self.plan.phase_before(step)
        if phase.start not in self.fakes:
            self.fakes[phase.start] = GeneratedSetMaker(
                "study", phase.algorithm, self.plan.spec, conditions=self.plan.conditions(phase)
            )
        state = sampled_state(step, index, ema)
        return self.fakes[phase.start](state, seed=SEED, which=WHILE_TRAINING, averaged=self.plan.averaged)

    def results(self) -> list[Result]:
        """What all runs gave."""
        environment = describe_environment()
        better, protocol = {}, {}
        if self.last is not None:
            better = {name: score.better for name, score in self.last.scores.items()}
            protocol = {
                name: f"{self.last.setting_of(name)}; {score.described}"
                for name, score in self.last.scores.items()
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
        phase = self.plan.phase_before(int(state.step))
        conditions = self.plan.conditions(phase)
        sampler = make_sampler(phase.algorithm, self.plan.spec, conditions)
        pictures = samples_pictures(self.plan, sampler, state, conditions)
        save_png(path, compared_kind(pictures).pixels)

    def forget(self) -> None:
        """Deletes the group's folder, once its results are written."""
        with files.disk_errors(f"delete {self.folder}"):
            # Renamed first: what a kill leaves half-deleted must not look like a damaged group.
            deleting = self.folder.rename(self.folder.with_name(f"deleting-{self.folder.name}"))
            shutil.rmtree(deleting)


def chosen_runs(states: TrainState, indices: Sequence[int]) -> TrainState:
    """Some of the runs, in this order."""
    places = jnp.array(indices, jnp.int32)
    chosen: TrainState = jax.tree.map(lambda x: x[places], states.replace(step=None, frozen=()))
    return chosen.replace(step=states.step, frozen=states.frozen)


def sampled_state(step: int, index: int, ema: PyTree) -> TrainState:
    """What `Algorithm.sample` reads of one run's state; `ema` is that of all, leaves [R, ...]."""
    own = jax.tree.map(lambda x: np.asarray(x[index]), ema)  # a number too is an array
    nothing: Any = ()
    return TrainState(
        step=jnp.int32(step),
        key=jax.random.key(0),
        generator=nothing,
        discriminator=nothing,
        ema=own,
        extra={},
    )


def _value(value: float) -> float | str | None:
    """For JSON: `append_row` makes null of NaN, and infinity has no place in it."""
    return str(value) if value in (float("inf"), float("-inf")) else value
