"""The only loop: train(config, workdir) -> TrainState.

A run is continued by calling `train` again with the same config and workdir. Nothing waits for the
devices but where something is written: the losses of every step stay on the devices until then.
"""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from gan_jax import parallel
from gan_jax.algorithm import Batch, Metrics
from gan_jax.build import Plan, build, example_batch
from gan_jax.checkpoint import Checkpoints
from gan_jax.components import complete
from gan_jax.data import Feed, make_feed, random_flip, to_float
from gan_jax.errors import UserError
from gan_jax.interrupt import Interrupted, StopRequest
from gan_jax.logs import RunLog, read_losses
from gan_jax.noise import PICTURES, example_keys
from gan_jax.pictures import curves, grid, save_png
from gan_jax.point_pictures import PICTURED_POINTS, points_picture
from gan_jax.report import parameter_report
from gan_jax.restore import NEWEST
from gan_jax.sample import Sampler, class_rows, make_sampler
from gan_jax.state import Player, PyTree, TrainState
from gan_jax.watch import Watch, make_watch
from gan_jax.workdir import check_workdir, note_start

PICTURED = 64  # images in a grid


class Diverged(UserError):
    """A loss is no longer a number; the last checkpoint is from before."""


def train(config: ml_collections.ConfigDict, workdir: str | Path) -> TrainState:
    """Trains, or continues, the run in `workdir` up to `config.num_steps`.

    Raises:
        UserError: the config, the data or the workdir do not fit; nothing was changed.
        Diverged: a loss became infinite or NaN.
        Interrupted: SIGINT or SIGTERM came; the state was saved.
    """
    config = complete(config)
    plan = build(config)
    mesh = parallel.make_mesh()
    parallel.check_batch(plan.batch_size, mesh)
    folder = Path(workdir)
    record = check_workdir(folder, config, plan.dataset)
    feed = make_feed(plan.dataset, plan.sampler, steps_per_call=plan.steps_per_call, placement=plan.placement)
    checkpoints = Checkpoints(folder / NEWEST)
    try:
        state = restore_or_init(plan, checkpoints, mesh)
        watch = make_watch(plan, folder, mesh, state)
        note_start(folder, record)  # from here on the folder changes
        with StopRequest() as stop:
            return Loop(plan, folder, checkpoints, mesh, feed, int(state.step), watch).run(state, stop)
    finally:
        feed.close()
        checkpoints.close()


def restore_or_init(plan: Plan, checkpoints: Checkpoints, mesh: jax.sharding.Mesh) -> TrainState:
    """The newest good checkpoint, or a fresh state."""
    batch = example_batch(plan.spec, plan.batch_size)
    state = checkpoints.restore(parallel.abstract_state(plan.algorithm, batch, mesh))
    if state is None:
        return parallel.initial_state(plan.algorithm, plan.key, batch, mesh)
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
    ) -> None:
        self.plan = plan
        self.folder = folder
        self.checkpoints = checkpoints
        self.feed = feed
        self.sharding = parallel.split_on(mesh, 2)
        self.constants = parallel.place(self.feed.constants, parallel.replicated(mesh))
        self.call = parallel.compile_step(
            plan.algorithm, make_fetch(self.feed, plan.flip), mesh, plan.steps_per_call
        )
        self.sampler = make_sampler(plan.algorithm, plan.spec)
        self.log = RunLog(folder, num_steps=plan.num_steps, first_step=first_step)
        self.watch = watch
        if watch is not None:
            watch.begin(self.log)
        self.pending: list[tuple[int, Metrics]] = []  # (steps, metrics) of calls not looked at yet

    def run(self, state: TrainState, stop: StopRequest) -> TrainState:
        """Steps to the end, or to the first request to stop."""
        plan, step = self.plan, int(state.step)
        try:
            if step == 0:
                self.begin(state)
            if step < plan.num_steps:
                self.log.say(
                    f"from step {step} to {plan.num_steps}; compiling the train step takes a few seconds"
                )
            while step < plan.num_steps and stop.signum is None:
                count = min(self.boundary(step) - step, plan.steps_per_call)
                items = parallel.place(self.feed.get(step, count), self.sharding)
                state, metrics = self.call(state, self.constants, items, jnp.int32(count))
                self.pending.append((count, metrics))
                step += count
                self.after(step, state)
            return self.finish(step, state, stop)
        finally:
            try:
                self.log.close()
            finally:
                if self.watch is not None:
                    self.watch.close()

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
        plan = self.plan
        if plan.dataset.density is not None:
            reals = plan.dataset.gather(np.arange(min(PICTURED_POINTS, len(plan.dataset))))["image"]
            picture = points_picture(reals, plan.dataset.density)
        else:
            first = plan.sampler.indices(0, 1)[0, 0, :PICTURED]
            picture = grid(np.asarray(to_float(jnp.asarray(plan.dataset.gather(first)["image"]))))
        save_png(self.folder / "reals.png", picture)
        self.picture(0, state)

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

    def finish(self, step: int, state: TrainState, stop: StopRequest) -> TrainState:
        """Saves where a request to stop came between two checkpoints, and says how it ended."""
        if stop.signum is None or step == self.plan.num_steps:
            self.checkpoints.wait()
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
        raise Interrupted(
            stop.signum, f"stopped and saved at step {step}; the same command continues the run"
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
        picture = samples_picture(self.plan, self.sampler, state)
        save_png(self.sample_file(step), picture)
        self.log.picture(step, "samples", picture)
        if step:
            losses = read_losses(self.folder)
            if losses is not None:
                curves(losses, self.folder / "curves.png")


def samples_picture(plan: Plan, sampler: Sampler, state: TrainState) -> np.ndarray:
    """Samples from the run's fixed latents, uint8 [h, w, C], a row for each class if there are any."""
    density = plan.dataset.density
    wanted = PICTURED if density is None else PICTURED_POINTS
    classes = plan.algorithm.num_classes or 1
    count = wanted // classes * classes or wanted
    labels, columns = class_rows(plan.algorithm, count)
    images = sampler(state, count, jax.random.fold_in(plan.key, PICTURES), labels)
    return grid(images, columns) if density is None else points_picture(images, density)


def check_finite(step: int, metrics: dict[str, np.ndarray]) -> None:
    """Raises Diverged at the first step, of those that end at `step`, with a loss that is not finite."""
    found = find_divergence(step, metrics)
    if found is not None:
        raise diverged(*found)


def find_divergence(step: int, metrics: dict[str, np.ndarray]) -> tuple[int, str] | None:
    """The first step, of those that end at `step`, with a loss that is not finite, and which it is."""
    losses = {name: values for name, values in metrics.items() if name.endswith("_loss")}
    bad = np.stack([~np.isfinite(values) for values in losses.values()])
    if not bad.any():
        return None
    index = int(np.argmax(bad.any(axis=0)))
    at = {name: values[index] for name, values in losses.items()}
    what = ", ".join(f"{name} is {value}" for name, value in at.items() if not np.isfinite(value))
    return step - bad.shape[1] + index + 1, what


def check_state(step: int, state: TrainState) -> None:
    """Raises Diverged if a player holds a number that is not finite, as it can before any loss does."""
    sums = jax.device_get(_sums_of_bad({"generator": state.generator, "discriminator": state.discriminator}))
    bad = [f"a number of the {role} (parameters or optimizer) is {x}" for role, x in sums.items() if x != 0]
    if bad:
        raise diverged(step, ", ".join(bad))


@jax.jit
def _sums_of_bad(players: dict[str, Player]) -> dict[str, jax.Array]:
    """For each player the sum of all that is not finite: 0 is a player without."""

    def of(player: Player) -> jax.Array:
        leaves = [x for x in jax.tree.leaves(player) if jnp.issubdtype(x.dtype, jnp.inexact)]
        return jnp.stack([jnp.sum(jnp.where(jnp.isfinite(x), 0.0, x)) for x in leaves]).sum()

    return {role: of(player) for role, player in players.items()}


def diverged(step: int, what: str) -> Diverged:
    """The error for what was first seen at `step`."""
    return Diverged(
        f"the training diverged: at step {step} {what}. Nothing of it was saved: the checkpoints are from "
        "before. Try a lower learning rate or another seed in a new --workdir"
    )
