"""The training of a run: train(config, workdir) -> TrainState.

A run is continued by calling `train` again with the same config and workdir. On many processes every one
runs this same program, on its share of each batch; see `hosts`.
"""

from __future__ import annotations

import contextlib
import functools
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from gan_jax.config.build import (
    Phase,
    Plan,
    build,
    check_fields,
    example_batch,
    execution_of,
    open_data,
    takes_batch_size,
)
from gan_jax.config.components import complete, with_dataset
from gan_jax.config.config_file import Source
from gan_jax.config.phases import phase_configs
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.loop import Callback, PeriodicWork, check_callbacks, run_steps
from gan_jax.core.state import TrainState
from gan_jax.core.update import Metrics
from gan_jax.data import Dataset, Feed, make_feed
from gan_jax.data.feed import on_device_bytes
from gan_jax.distributed import parallel
from gan_jax.distributed.hosts import ALONE, Hosts
from gan_jax.distributed.memory import check_devices, check_program
from gan_jax.reports.run_page import write_run_report
from gan_jax.summaries.logs import TENSORBOARD, NoLog, RunLog
from gan_jax.summaries.parameter_table import parameter_report
from gan_jax.training.callbacks import (
    LogRow,
    RecordLosses,
    SamplePictures,
    SaveCheckpoint,
    make_periodic_evaluator,
)
from gan_jax.training.checkpoint import Checkpoints
from gan_jax.training.initial_weights import check_same_weights, with_weights_of
from gan_jax.training.input import make_fetch
from gan_jax.training.pictures import picture_of_reals
from gan_jax.training.restore import NEWEST
from gan_jax.training.workdir import (
    check_same_run,
    check_workdir,
    claim,
    keeps_its_place,
    note_saved,
    note_start,
    read_record,
    start_over,
    vanishing_said_first,
)
from gan_jax.utils.errors import UserError
from gan_jax.utils.interrupt import Interrupted, StopRequest
from gan_jax.utils.memory import check_fits, host_bytes, told_if_exhausted
from gan_jax.utils.paths import expanded
from gan_jax.utils.streams import Unfailing
from gan_jax.utils.tree import PyTree, tree_bytes
from gan_jax.utils.untrusted import plain

_LOSSES_BYTES = 48  # of a step in losses.npy, and while it is written


def train(
    config: ml_collections.ConfigDict,
    workdir: str | Path,
    devices: int = 0,
    hosts: Hosts = ALONE,
    callbacks: Sequence[Callback] = (),
    dataset: Dataset | None = None,
    source: Source | None = None,
    start_anew: bool = False,
) -> TrainState:
    """Trains, or continues, the run in `workdir` up to `config.num_steps`.

    Args:
        devices: of each host; 0 is all of them.
        hosts: the processes that train together, from `hosts.connected`; all call this with the same
            arguments.
        callbacks: more periodic work, done after the run's own rows, pictures and scores of a step and before
            its checkpoint. Every process does it. What it remembers is in no checkpoint.
        dataset: what to train on in the place of the config's data set, such as `data.from_arrays` makes.
        source: of the config, from `config_file.run_and_read`: the run keeps it, and whatever reads the run
            finds components in it that are not the library's own.
        start_anew: where all checkpoints of a run are gone, begin at step 0; see `start_over`.

    Raises:
        UserError: the config, the data or the workdir do not fit; nothing was changed.
        ValueError: a callback without an interval.
        Diverged: a loss became infinite or NaN.
        Interrupted: SIGINT, SIGTERM or SIGHUP came; the state was saved.
    """
    check_callbacks(callbacks)
    if hosts.count != jax.process_count():
        raise ValueError(
            f"there are {jax.process_count()} processes: give train the hosts that `connected` gave"
        )
    config = complete(config if dataset is None else with_dataset(config, dataset.name, dataset.options))
    plan, mesh = plan_on_devices(config, devices, dataset)
    check_memory(plan, mesh, hosts.count)
    folder = expanded(workdir)
    check_same_run(hosts, config, plan.dataset, plan.frozen_digests)
    record = hosts.broadcast_from_first(
        lambda: check_workdir(folder, config, plan.dataset, plan.frozen_digests)
    )
    with contextlib.ExitStack() as held:
        held.enter_context(told_if_exhausted())
        if record["starts"]:
            claim(held, folder, record, hosts)
        checkpoints = held.enter_context(
            closing(Checkpoints(folder / NEWEST, hosts=hosts, committed=lambda: note_saved(folder)))
        )
        state = restore_or_init(
            plan,
            checkpoints,
            mesh,
            lambda: hosts.broadcast_from_first(lambda: start_over(folder, start_anew)),
        )
        step = begun_at = int(state.step)
        if step == 0 and plan.init_from.run:
            state, origin = begun_from(plan, state, hosts)
            check_same_weights(record.setdefault("init_from", origin), origin)
        # Before anything is written, so that what is wrong with the data is said first.
        feed = held.enter_context(closing(open_feed(plan, plan.phase_after(step), hosts)))
        evaluator = make_periodic_evaluator(plan, folder, mesh, state, hosts)
        if not record["starts"]:
            claim(held, folder, record, hosts)  # from here on the folder changes
        stop = held.enter_context(StopRequest(hosts.signals))
        steps = TrainSteps(plan, plan.phase_after(step), feed, mesh)
        if step < plan.num_steps:
            if hosts.is_first:
                Unfailing(sys.stderr).write(
                    "compiling the train step takes seconds, of a large network minutes\n"
                )
            prepare(steps, state, step, mesh, hosts)
        if stop.signum is not None and hosts.count == 1:  # several agree on it before the first call
            raise Interrupted(stop.signum, f"stopped at step {step}, as it was; the same command goes on")
        if hosts.is_first:
            note_start(folder, record, source)
        check_folder = keeps_its_place(folder) if hosts.is_first else lambda: None
        held.enter_context(vanishing_said_first(check_folder))
        log = held.enter_context(closing(open_log(plan, folder, step, hosts)))
        pictures = SamplePictures(plan, folder, log, hosts)
        save = SaveCheckpoint(plan.checkpoint_every_steps, checkpoints)
        own: list[Callback] = [LogRow(plan.log_every_steps, log), pictures]
        if evaluator is not None:
            held.enter_context(closing(evaluator)).begin(log)
            own.append(evaluator)
        work = PeriodicWork([*own, *callbacks, save], plan.num_steps, RecordLosses(log, check_folder))
        held.enter_context(hosts.propagate_errors())  # last: the others know before anything here is closed
        held.enter_context(told_if_exhausted())
        if step == 0:
            log.say(parameter_report(state))
            if "init_from" in record:
                log.say("the weights are those of {run}, step {step}".format(**record["init_from"]))
            if hosts.is_first:
                picture_of_reals(plan, folder)
            with log.no_training():  # above all the sampler is compiled
                pictures.draw(0, state)
        signum = None
        for phase in [phase for phase in plan.phases if step < phase.stop]:
            log.say(f"{f'phase {phase.name}: ' if phase.name else ''}from step {step} to {phase.stop}")
            with closing(feed):
                if step == phase.start:
                    with log.no_training():
                        state = steps.enter(state)
                state, step, signum = run_steps(
                    steps,
                    state,
                    step,
                    phase.stop,
                    phase.steps_per_call,
                    work,
                    lambda: hosts.stop_signal(stop),
                )
            if signum is not None:
                break
            if step < plan.num_steps:
                feed = open_feed(plan, plan.phase_after(step), hosts)
                steps = TrainSteps(plan, plan.phase_after(step), feed, mesh)
                with log.no_training():
                    prepare(steps, state, step, mesh, hosts)
        if signum is not None:
            save(step, state, {})
        checkpoints.wait()
        check_folder()
        hosts.barrier()
        if signum is not None:
            stopped = f"stopped and saved at step {step}; the same command continues the run"
            raise Interrupted(signum, stopped, everywhere=True)
        page = write_page(folder, log.say) if hosts.is_first and begun_at < step else ""
        log.say(
            f"{step} steps done. Samples beside reals, and the losses: {pictures.overview}{page}; everything "
            "else (samples/, metrics.jsonl, losses.npy, tensorboard/, checkpoints/) is beside it. Curves "
            f"in a browser: tensorboard --logdir {shlex.quote(str(folder / TENSORBOARD))}"
        )
        return state


def plan_on_devices(
    config: ml_collections.ConfigDict, devices: int = 0, dataset: Dataset | None = None
) -> tuple[Plan, jax.sharding.Mesh]:
    """The config, read, and the devices that train it; `dataset` is the config's, where it is open already.

    Raises:
        UserError: as `build`; there are not so many devices, or they do not divide the batch.
    """
    check_fields(config)
    mesh, dataset = parallel.training_mesh(devices), dataset or open_data(config)
    parts = execution_of(config).accumulation
    for phase in phase_configs(config):
        parallel.check_batch(
            phase.config.batch_size,
            mesh,
            parts,
            most=len(dataset),
            fits=functools.partial(takes_batch_size, phase.config, dataset.spec),
        )
    return build(config, dataset), mesh


def check_memory(plan: Plan, mesh: jax.sharding.Mesh, hosts: int = 1) -> None:
    """Compares what a run holds all the time with the memory there is, from shapes alone.

    What a step needs beside it is known once it is compiled: see `check_program`.

    Raises:
        UserError: it does not fit.
    """
    state = parallel.abstract_state(
        plan.algorithm, example_batch(plan.spec, plan.batch_size), mesh, plan.execution.sharding
    )
    data = on_device_bytes(plan.dataset, plan.placement, hosts)
    image = 4 if data else plan.dataset.example_bytes  # an index, or the image itself
    images = max(p.steps_per_call * p.algorithm.minibatches * p.batch_size for p in plan.phases) // mesh.size
    needed = {
        "state": parallel.device_bytes(state) + tree_bytes(plan.frozen),
        "data": data,
        "the input of a call of steps_per_call steps": image * images,
    }
    remedies = (
        "narrower networks take less, or execution.sharding=sharded on more devices",
        "data.placement=stream reads the data while it trains",
        "set a smaller steps_per_call",
    )
    remedy = remedies[int(np.argmax(list(needed.values())))]
    check_devices(needed, mesh, remedy)
    record = {"every step's losses": _LOSSES_BYTES * plan.num_steps}
    check_fits(record, host_bytes(), "on this machine", "set a smaller num_steps")


def open_feed(plan: Plan, phase: Phase, hosts: Hosts = ALONE) -> Feed:
    """This process's share of the batches of a phase."""
    return make_feed(
        plan.dataset,
        phase.sampler,
        steps_per_call=phase.steps_per_call,
        placement=plan.placement,
        host=hosts.index,
        hosts=hosts.count,
    )


def open_log(plan: Plan, folder: Path, first_step: int, hosts: Hosts) -> RunLog | NoLog:
    """The run's log, on the process that writes it."""
    return RunLog(folder, num_steps=plan.num_steps, first_step=first_step) if hosts.is_first else NoLog()


def write_page(folder: Path, say: Callable[[str], None]) -> str:
    """Writes report.html, and returns what is to be said of it: a page that fails must not end a training."""
    try:
        return f"; what it is and how it went, as a page: {write_run_report(folder, read_record(folder))}"
    except Exception as error:
        say(f"no page about the run: {plain(error)}")
        return ""


def restore_or_init(
    plan: Plan,
    checkpoints: Checkpoints,
    mesh: jax.sharding.Mesh,
    before_fresh: Callable[[], Any] = lambda: None,
) -> TrainState:
    """The newest good checkpoint, or a fresh state, before which `before_fresh` is called and may raise."""
    batch, sharding = example_batch(plan.spec, plan.batch_size), plan.execution.sharding
    state = checkpoints.restore(parallel.abstract_state(plan.algorithm, batch, mesh, sharding))
    if state is None:
        before_fresh()
        state = parallel.initial_state(plan.algorithm, plan.key, batch, mesh, sharding)
    if int(state.step) > plan.num_steps:
        raise UserError(
            f"this run has {int(state.step)} steps already and num_steps={plan.num_steps}: "
            "ask for more, or choose another workdir"
        )
    return state.replace(frozen=parallel.place_frozen(plan.frozen, mesh, sharding)) if plan.frozen else state


def prepare(steps: TrainSteps, state: TrainState, step: int, mesh: jax.sharding.Mesh, hosts: Hosts) -> None:
    """Compiles a phase's call and compares what it needs with the memory; waits until all have done so."""
    check_program(steps.compile(state, step), mesh)
    hosts.barrier()


def begun_from(plan: Plan, state: TrainState, hosts: Hosts = ALONE) -> tuple[TrainState, dict[str, Any]]:
    """A fresh state with the networks that `config.init_from` names, see `with_weights_of`."""
    if hosts.count > 1:
        raise UserError(
            "init_from.run: one process must begin a run with another one's weights; several may continue it "
            "from its first checkpoint"
        )
    return with_weights_of(plan.init_from, plan.algorithm, state, averaged=plan.averaged)


class TrainSteps:
    """A phase's train steps as one compiled call, with their input: what `run_steps` calls."""

    def __init__(self, plan: Plan, phase: Phase, feed: Feed, mesh: jax.sharding.Mesh) -> None:
        self._phase = phase
        self._feed = feed
        self._split = parallel.split_on(mesh, 2)
        self.constants = parallel.place(feed.constants, parallel.replicated(mesh))
        self._call: Any = parallel.compile_step(
            phase.algorithm,
            make_fetch(feed, plan.transforms),
            mesh,
            phase.steps_per_call,
            plan.execution.sharding,
        )

    def __call__(self, state: TrainState, step: int, count: int) -> tuple[TrainState, Metrics]:
        """See `StepsCall`."""
        return self._call(state, self.constants, self.items(step, count), jnp.int32(count))

    def items(self, step: int, count: int) -> PyTree:
        """The input of `count` steps after `step`, on the devices."""
        return parallel.place(self._feed.get(step - self._phase.start, count), self._split)

    def enter(self, state: TrainState) -> TrainState:
        """The state with which the phase begins, from the one after the phase before, which is given up."""
        enter = self._phase.algorithm.enter
        if type(self._phase.algorithm).enter is Algorithm.enter:
            return state
        shardings = jax.tree.map(lambda x: x.sharding, state)
        return jax.jit(enter, donate_argnums=0, out_shardings=shardings)(state)

    def compile(self, state: TrainState, step: int) -> jax.stages.Compiled:
        """Compiles the call, which the first call would do; the state may be shapes."""
        self._call = self._call.lower(state, self.constants, self.items(step, 1), jnp.int32(1)).compile()
        return self._call
