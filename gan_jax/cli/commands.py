"""What the commands do, once their flags are read."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import ml_collections

from gan_jax import data
from gan_jax.config.build import build_algorithm, example_batch
from gan_jax.config.components import complete
from gan_jax.config.config_file import Source
from gan_jax.config.phases import phase_configs
from gan_jax.core.execution import Execution
from gan_jax.core.modules import is_conditional
from gan_jax.data.classes import described, labels_named
from gan_jax.distributed import parallel
from gan_jax.distributed.hosts import ALONE, Hosts
from gan_jax.distributed.memory import check_program, device_free_bytes
from gan_jax.evaluation.protocol import from_row
from gan_jax.inference.conditions import beside_truths, turned_round
from gan_jax.inference.sample import class_rows, first_of, make_chunks
from gan_jax.inference.samplers import AS_CONFIGURED, SamplerChoice, with_sampler
from gan_jax.inference.truncation import truncated
from gan_jax.summaries.columns import MOST_KINDS
from gan_jax.summaries.logs import last_metrics, read_metrics
from gan_jax.summaries.parameter_table import parameter_report
from gan_jax.summaries.sample_files import sample_files
from gan_jax.training.checkpoint import Checkpoints
from gan_jax.training.restore import BEST, NEWEST, restored_run, run_conditions
from gan_jax.training.train import TrainSteps, check_memory, open_feed, plan_on_devices
from gan_jax.training.train import train as run_training
from gan_jax.training.workdir import read_record, recorded_run
from gan_jax.utils import plugins
from gan_jax.utils.errors import UserError
from gan_jax.utils.memory import mebibytes
from gan_jax.utils.names import listed
from gan_jax.utils.tree import tree_bytes

PICTURES = 64  # that `gan-jax sample` draws unless it is told another number


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def train(
    config: ml_collections.ConfigDict,
    workdir: Path,
    devices: int = 0,
    hosts: Hosts = ALONE,
    source: Source | None = None,
    start_anew: bool = False,
) -> None:
    """gan-jax train."""
    run_training(config, workdir, devices, hosts, source=source, start_anew=start_anew)


def dry_run(config: ml_collections.ConfigDict, devices: int = 0) -> None:
    """gan-jax train --dry_run: the config, the networks, the plan and the memory."""
    plan, mesh = plan_on_devices(config, devices)
    check_memory(plan, mesh)
    batch = example_batch(plan.spec, plan.batch_size)
    state = parallel.abstract_state(plan.algorithm, batch, mesh, plan.execution.sharding)
    if plan.frozen:
        state = state.replace(frozen=parallel.place_frozen(plan.frozen, mesh, plan.execution.sharding))
    _say(f"{config}\n{parameter_report(state)}")
    if plan.dataset.class_names:
        _say(f"classes: {described(plan.dataset.class_names)}")
    for phase in plan.phases:
        named, length = (f"phase {phase.name}" if phase.name else "plan"), phase.stop - phase.start
        epochs = length * phase.algorithm.minibatches / phase.sampler.minibatches_per_epoch
        _say(
            f"{named}: {length} steps of {phase.algorithm.minibatches} x {phase.batch_size} images = "
            f"{epochs:.2f} epochs of {len(plan.dataset)} images "
            f"{'x'.join(map(str, plan.dataset.image_shape))} from {plan.dataset.name}; on {mesh.size} x "
            f"{mesh.devices.flat[0].device_kind}"
        )
        _say(execution_line(plan.execution, phase.batch_size, mesh.size))
        with closing(open_feed(plan, phase)) as feed:
            steps = TrainSteps(plan, phase, feed, mesh)
            program = steps.compile(state, phase.start)
            memory: Any = program.memory_analysis()
            items = steps.items(phase.start, 1)
        _say(
            f"memory of each device: state {mebibytes(parallel.device_bytes(state))}, "
            f"data {mebibytes(tree_bytes(feed.constants))}, "
            f"items of a call {mebibytes(tree_bytes(items) // mesh.size)}, "
            f"temporaries {mebibytes(memory.temp_size_in_bytes)}; "
            f"there are {mebibytes(device_free_bytes(mesh))}"
        )
        check_program(program, mesh)
    _say("nothing was trained")


def execution_line(execution: Execution, batch_size: int, devices: int) -> str:
    """What the fields of `config.execution` do to a run on so many devices, in a line."""
    parts = execution.accumulation
    images = f"{batch_size} images" if parts == 1 else f"{parts} x {batch_size // parts} images in turn"
    kept = "only the blocks' outputs are kept" if execution.remat else "all activations are kept"
    state = "whole" if execution.sharding == "replicated" else "split where that is possible"
    return (
        f"execution: networks compute in {execution.precision}; gradients of {images}, for which {kept}; "
        f"the state lies {state} on {devices} device{'s' * (devices != 1)}"
    )


def sample(
    workdir: Path,
    *,
    num: int | None,
    seed: int,
    out: str,
    label: str | None,
    direction: str | None,
    columns: int | None,
    scale: int | None,
    step: int | None,
    best: bool,
    truncation: tuple[float, int | None] = (1.0, None),
    sampler: tuple[str | None, int | None, float | None] = AS_CONFIGURED,
) -> None:
    """gan-jax sample: `num` images from the newest good checkpoint, the best one, or that of a step.

    Args:
        num: None for `PICTURES`, or of several labels whole rows.
    """
    names = read_record(workdir)["data"].get("class_names", ())
    to = sample_files(out, columns=columns, scale=scale, class_names=names)  # before anything is drawn
    algorithm, spec, state = restored_run(workdir, BEST if best else NEWEST, step)
    algorithm = truncated(algorithm, spec, state, *truncation)
    algorithm = with_sampler(algorithm, SamplerChoice(*sampler))
    # InfoGAN's categories are no classes of the data.
    is_told = is_conditional(algorithm.generator)
    names = spec.class_names if is_told else ()
    chosen = None
    if label is not None:
        if algorithm.num_classes is None:
            raise UserError(f"--label={label}: the run in {workdir} is unconditional; leave --label out")
        chosen = labels_named(label, names, algorithm.num_classes)
        num = num or of_each(len(chosen), columns)
        if num < len(chosen):
            raise UserError(f"--label={label} are {len(chosen)} classes, and --num={num}: raise --num")
    num = num or PICTURES
    labels, class_columns = class_rows(algorithm, num, chosen)
    conditions = run_conditions(workdir, algorithm)
    if direction is not None and direction != next(iter(algorithm.directions), None):
        try:
            algorithm, spec, conditions = turned_round(algorithm, conditions, direction)
        except ValueError as error:
            raise UserError(f"--{error}: leave it out") from error
    codec = spec.fields["image"].codec
    if conditions is not None and chosen is None:  # of a row, with its label
        labels, class_columns = None, None
    to.check(num, codec, spec.image_shape, 1 if conditions is None else MOST_KINDS)
    to = replace(to, columns=columns or class_columns)
    drawn = first_of(make_chunks(algorithm, spec, conditions)(state, num, jax.random.key(seed), labels), num)
    if conditions is not None:
        drawn = beside_truths(drawn, conditions)
    own = labels if is_told else None
    rows = ()
    if own is not None and names and class_columns and columns in (None, class_columns):
        rows = tuple(names[label] for label in own[::class_columns])
    shown = "" if chosen is None or not names else f" of {listed([names[label] for label in chosen], 10)}"
    advice = "; gan-jax interpolate leads from one to the next" if to.form == "film" else ""
    for file in to.write(drawn, codec, own, rows, beside=conditions is not None):
        _say(f"{num} {codec.noun}{shown} from step {int(state.step)} in {file}{advice}")


def of_each(classes: int, columns: int | None) -> int:
    """How many pictures there are of several classes where nobody says it: whole rows."""
    return classes * (columns or max(PICTURES // classes, 1)) if classes > 1 else PICTURES


def info(workdir: Path) -> None:
    """gan-jax info: what the run is and how far it has come."""
    config, spec, record = recorded_run(workdir)
    algorithm = build_algorithm(phase_configs(complete(config))[0].config, spec)
    state = jax.eval_shape(algorithm.init, jax.random.key(0), example_batch(spec, 1))
    _say(f"{config}\n{parameter_report(state)}")
    if used := record.get("plugins"):
        _say(f"plugins: {plugins.said(used)}")
    _say(f"data: {record['data']['examples']} examples, {record['data']['fingerprint']}")
    if spec.num_classes is not None:
        _say(f"classes: {described(spec.class_names) if spec.class_names else spec.num_classes}")
    if (origin := record.get("init_from")) is not None:
        digests = ", ".join(f"{name} {digest}" for name, digest in origin["digests"].items())
        _say(f"begun with the weights of {origin['run']}, step {origin['step']}: {digests}")
    last = record["starts"][-1]
    _say(
        f"starts: {len(record['starts'])}, the last {last['time']} on {last['devices']['count']} x "
        f"{last['devices']['kind']} with jax {last['packages']['jax']}, git revision {last['git_revision']}"
    )
    metrics = last_metrics(workdir) or {}
    shown = [f"{name} {value}" for name, value in metrics.items() if name != "time"]
    _say(f"last metrics: {', '.join(shown) or 'none yet'}")
    checkpoints = Checkpoints(workdir / NEWEST, reading=True)
    found = checkpoints.verified()
    for step, problem in found.items():
        _say(f"checkpoint {step} of {config.num_steps}: {problem or 'verified'}")
    checkpoints.close()
    if not found:
        _say("checkpoints: none yet")
    for score in filter(None, map(from_row, read_metrics(workdir))):
        values = ", ".join(f"{name} {found.value:.4g}" for name, found in score.scores.items())
        _say(f"scored at step {score.step} ({score.which}): {values}")


def prepare(name: str, *, data_dir: str | None, source: str | None) -> None:
    """gan-jax data prepare."""
    _say(f"{name} is ready in {data.prepare(name, data_dir=data_dir, source=source)}")
