"""The only loop: train(config, workdir) -> TrainState.

A run is continued by calling `train` again with the same config and workdir. Nothing waits for the
devices but where something is written: the losses of every step stay on the devices until then.

On many processes every one runs this same loop, on its share of each batch. Process 0 alone writes the
records and pictures and measures; checkpoints are written by all. See `hosts`.
"""

from __future__ import annotations

import contextlib
from contextlib import closing
from pathlib import Path

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from gan_jax.config.build import Plan, build, example_batch
from gan_jax.config.components import complete
from gan_jax.core.algorithm import Batch, Metrics
from gan_jax.core.randomness import PICTURES, example_keys
from gan_jax.core.state import TrainState
from gan_jax.data import Feed, make_feed, random_flip, to_float
from gan_jax.distributed import parallel
from gan_jax.distributed.hosts import ALONE, Hosts
from gan_jax.inference.sample import ImageSampler, class_rows, make_sampler
from gan_jax.summaries.logs import NoLog, RunLog, read_losses
from gan_jax.summaries.parameter_table import parameter_report
from gan_jax.summaries.pictures import curves, grid, save_png
from gan_jax.summaries.point_pictures import PICTURED_POINTS, points_picture
from gan_jax.training.callbacks import Watch, make_watch
from gan_jax.training.checkpoint import Checkpoints
from gan_jax.training.divergence import check_finite, check_state
from gan_jax.training.restore import NEWEST
from gan_jax.training.workdir import check_same_run, check_workdir, claim, note_start
from gan_jax.utils.errors import UserError
from gan_jax.utils.interrupt import Interrupted, StopRequest
from gan_jax.utils.tree import PyTree

PICTURED = 64  # images in a grid


def train(
    config: ml_collections.ConfigDict, workdir: str | Path, devices: int = 0, hosts: Hosts = ALONE
) -> TrainState:
    """Trains, or continues, the run in `workdir` up to `config.num_steps`.

    Args:
        devices: of each host; 0 is all of them.
        hosts: the processes that train together, from `hosts.connected`; all call this with the same
            arguments.

    Raises:
        UserError: the config, the data or the workdir do not fit; nothing was changed.
        Diverged: a loss became infinite or NaN.
        Interrupted: SIGINT or SIGTERM came; the state was saved.
    """
    if hosts.count != jax.process_count():
        raise ValueError(
            f"there are {jax.process_count()} processes: give train the hosts that `connected` gave"
        )
    config = complete(config)
    plan = build(config)
    mesh = parallel.training_mesh(devices)
    parallel.check_batch(plan.batch_size, mesh, plan.execution.accumulation)
    folder = Path(workdir)
    check_same_run(hosts, config, plan.dataset)
    record = hosts.broadcast_from_first(lambda: check_workdir(folder, config, plan.dataset))
    with contextlib.ExitStack() as held:
        if record["starts"]:
            claim(held, folder, record, hosts)
        feed = held.enter_context(closing(open_feed(plan, hosts)))
        checkpoints = held.enter_context(closing(Checkpoints(folder / NEWEST, hosts=hosts)))
        state = restore_or_init(plan, checkpoints, mesh)
        watch = make_watch(plan, folder, mesh, state, hosts)
        if not record["starts"]:
            claim(held, folder, record, hosts)  # from here on the folder changes
        if hosts.is_first:
            note_start(folder, record)
        with StopRequest(hosts.signals) as stop:
            return Loop(plan, folder, checkpoints, mesh, feed, int(state.step), watch, hosts).run(state, stop)


def open_feed(plan: Plan, hosts: Hosts) -> Feed:
    """This process's share of the batches."""
    return make_feed(
        plan.dataset,
        plan.sampler,
        steps_per_call=plan.steps_per_call,
        placement=plan.placement,
        host=hosts.index,
        hosts=hosts.count,
    )


def restore_or_init(plan: Plan, checkpoints: Checkpoints, mesh: jax.sharding.Mesh) -> TrainState:
    """The newest good checkpoint, or a fresh state."""
    batch, sharding = example_batch(plan.spec, plan.batch_size), plan.execution.sharding
    state = checkpoints.restore(parallel.abstract_state(plan.algorithm, batch, mesh, sharding))
    if state is None:
        return parallel.initial_state(plan.algorithm, plan.key, batch, mesh, sharding)
    if int(state.step) > plan.num_steps:
        raise UserError(
            f"this run has {int(state.step)} steps already and num_steps={plan.num_steps}: "
            "ask for more, or choose another --workdir"
        )
    return state


def make_fetch(feed: Feed, flip: bool) -> parallel.Fetch:
    """From a feed's item to a step's batches [minibatches, B, ...]: gathered, scaled, flipped."""

    def fetch(constants: PyTree, item: PyTree, key: jax.Array) -> Batch:
        batches = dict(feed.fetch(constants, item))
        image = batches["image"]
        image = to_float(image) if image.dtype == jnp.uint8 else image  # points are floats already
        if flip:
            keys = jax.vmap(lambda i: example_keys(jax.random.fold_in(key, i), image.shape[1]))
            image = jax.vmap(random_flip)(image, keys(jnp.arange(image.shape[0])))
        return {**batches, "image": image}

    return fetch


class Loop:
    """What one call of `train` needs while it runs."""

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        checkpoints: Checkpoints,
        mesh: jax.sharding.Mesh,
        feed: Feed,
        first_step: int,
        watch: Watch | None,
        hosts: Hosts = ALONE,
    ) -> None:
        self.plan = plan
        self.folder = folder
        self.checkpoints = checkpoints
        self.hosts = hosts
        self.feed = feed
        self.sharding = parallel.split_on(mesh, 2)
        self.constants = parallel.place(self.feed.constants, parallel.replicated(mesh))
        self.call = parallel.compile_step(
            plan.algorithm,
            make_fetch(self.feed, plan.flip),
            mesh,
            plan.steps_per_call,
            plan.execution.sharding,
        )
        self.sampler = make_sampler(plan.algorithm, plan.spec)
        self.log: RunLog | NoLog = NoLog()
        if hosts.is_first:
            self.log = RunLog(folder, num_steps=plan.num_steps, first_step=first_step)
        self.watch = watch
        if watch is not None:
            watch.begin(self.log)
        self.pending: list[tuple[int, Metrics]] = []  # (steps, metrics) of calls not looked at yet

    def run(self, state: TrainState, stop: StopRequest) -> TrainState:
        """Steps to the end, or to the first request to stop."""
        try:
            with self.hosts.propagate_errors():
                return self.steps(state, stop)
        finally:
            try:
                self.log.close()
            finally:
                if self.watch is not None:
                    self.watch.close()

    def steps(self, state: TrainState, stop: StopRequest) -> TrainState:
        """The loop."""
        plan, step = self.plan, int(state.step)
        if step == 0:
            self.begin(state)
        if step < plan.num_steps:
            self.log.say(
                f"from step {step} to {plan.num_steps}; compiling the train step takes a few seconds"
            )
            self.compile_together(step, state)
        signum = None
        while step < plan.num_steps and (signum := self.hosts.stop_signal(stop)) is None:
            count = min(self.boundary(step) - step, plan.steps_per_call)
            items = parallel.place(self.feed.get(step, count), self.sharding)
            state, metrics = self.call(state, self.constants, items, jnp.int32(count))
            self.pending.append((count, metrics))
            step += count
            self.after(step, state)
        return self.finish(step, state, signum)

    def compile_together(self, step: int, state: TrainState) -> None:
        """Of several processes none begins before all have their program, however long one of them takes."""
        if self.hosts.count > 1:
            items = parallel.place(self.feed.get(step, 1), self.sharding)
            self.call = self.call.lower(state, self.constants, items, jnp.int32(1)).compile()  # type: ignore[attr-defined]
            self.hosts.barrier()

    def boundary(self, step: int) -> int:
        """The next step after which something is written."""
        plan = self.plan
        intervals = [plan.log_every_steps, plan.checkpoint_every_steps, plan.sample_every_steps]
        if self.watch is not None:
            intervals.append(plan.evaluation.every_steps)
        return min(plan.num_steps, *((step // every + 1) * every for every in intervals))

    def begin(self, state: TrainState) -> None:
        """What is written once, before the first step."""
        self.log.say(parameter_report(state))
        if self.hosts.is_first:
            self.picture_of_reals()
        self.picture(0, state)

    def picture_of_reals(self) -> None:
        """Some of the data."""
        plan = self.plan
        if plan.dataset.density is not None:
            reals = plan.dataset.gather(np.arange(min(PICTURED_POINTS, len(plan.dataset))))["image"]
            picture = points_picture(reals, plan.dataset.density)
        else:
            first = plan.sampler.indices(0, 1)[0, 0, :PICTURED]
            picture = grid(np.asarray(to_float(jnp.asarray(plan.dataset.gather(first)["image"]))))
        save_png(self.folder / "reals.png", picture)

    def after(self, step: int, state: TrainState) -> None:
        """What is due after this step."""
        plan = self.plan
        last = step == plan.num_steps
        logged, saved, pictured = (
            last or step % every == 0
            for every in (plan.log_every_steps, plan.checkpoint_every_steps, plan.sample_every_steps)
        )
        measured = self.watch is not None and (last or step % plan.evaluation.every_steps == 0)
        if not (logged or saved or pictured or measured):
            return
        self.collect(step)
        if logged:
            self.log.row(step)
        if pictured or saved or measured:
            check_state(step, state)
        if pictured:
            self.picture(step, state)
        if self.watch is not None and measured:
            self.watch.measure(state)
        if saved:  # last: what is due at a step is there whenever a run continues from that step
            self.checkpoints.save(state)

    def finish(self, step: int, state: TrainState, signum: int | None) -> TrainState:
        """Saves where a request to stop came between two checkpoints, and says how it ended."""
        if signum is None:
            self.checkpoints.wait()
            self.hosts.barrier()
            self.log.say(
                f"{step} steps done. The pictures: {self.sample_file(step)}; the losses: "
                f"{self.folder / 'curves.png'}; everything else (metrics.jsonl, losses.npy, tensorboard/, "
                f"checkpoints/) is beside them"
            )
            return state
        self.collect(step)
        check_state(step, state)
        self.checkpoints.save(state)
        self.checkpoints.wait()
        self.hosts.barrier()
        raise Interrupted(
            signum, f"stopped and saved at step {step}; the same command continues the run", everywhere=True
        )

    def collect(self, step: int) -> None:
        """Brings the losses of all steps so far to the host; stops the run if one is not finite."""
        if not self.pending:
            return
        fetched = jax.device_get(self.pending)
        self.pending = []
        parts = [{name: values[:count] for name, values in metrics.items()} for count, metrics in fetched]
        metrics = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        self.log.record(step, metrics)
        check_finite(step, metrics)

    def sample_file(self, step: int) -> Path:
        """Where the samples of this step are."""
        return self.folder / "samples" / f"step_{step:07d}.png"

    def picture(self, step: int, state: TrainState) -> None:
        """Samples from the run's fixed latents, and the curves."""
        state = parallel.gather_to_local_device(state)
        if not self.hosts.is_first:
            return
        picture = samples_picture(self.plan, self.sampler, state)
        save_png(self.sample_file(step), picture)
        self.log.picture(step, "samples", picture)
        if step:
            losses = read_losses(self.folder)
            if losses is not None:
                curves(losses, self.folder / "curves.png")


def samples_picture(plan: Plan, sampler: ImageSampler, state: TrainState) -> np.ndarray:
    """Samples from the run's fixed latents, uint8 [h, w, C], a row for each class if there are any."""
    density = plan.dataset.density
    wanted = PICTURED if density is None else PICTURED_POINTS
    classes = plan.algorithm.num_classes or 1
    count = wanted // classes * classes or wanted
    labels, columns = class_rows(plan.algorithm, count)
    images = sampler(state, count, jax.random.fold_in(plan.key, PICTURES), labels)
    return grid(images, columns) if density is None else points_picture(images, density)
