"""What `gan-jax evaluate`, `scores` and `train-classifier` do, once their flags are read."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_collections

from gan_jax.cli.evaluation_of_files import evaluate_folders, fakes_of_files, is_of_two_folders
from gan_jax.cli.evaluation_request import Request, listed_names
from gan_jax.config.build import data_folder, is_averaged
from gan_jax.config.components import check_data, complete, data_options
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.state import TrainState
from gan_jax.data.views import turned
from gan_jax.evaluation.both_ways import way_back
from gan_jax.evaluation.evaluate import Evaluator, held_out_of
from gan_jax.evaluation.generated import GeneratedSet, GeneratedSetMaker, not_averaged
from gan_jax.evaluation.metric import Metric, uses_network
from gan_jax.evaluation.names import BACK, DEFAULT, FAKES, OF_PAIRS, USUAL_METRICS
from gan_jax.evaluation.neighbours import check_pictured, neighbours_picture
from gan_jax.evaluation.networks import open_network
from gan_jax.evaluation.protocol import WHILE_TRAINING, Record, from_row, table
from gan_jax.evaluation.requirements import Given, check, check_sides, chosen, held_out_named, possible
from gan_jax.evaluation.scores import METRICS
from gan_jax.evaluation.sources.image_source import like, seen_by
from gan_jax.evaluation.sources.sources import (
    ImageSource,
    dataset_source,
    generator_as_reals,
    is_run,
)
from gan_jax.feature_networks.classifier_cache import prepare_classifier
from gan_jax.feature_networks.network import FeatureNetwork
from gan_jax.feature_networks.simple_networks import no_network
from gan_jax.inference.samplers import SamplerChoice, with_sampler
from gan_jax.inference.truncation import truncated
from gan_jax.summaries.logs import METRICS as ROWS
from gan_jax.summaries.logs import append_row, check_appendable, read_rows
from gan_jax.summaries.pictures import FORMATS, save_picture
from gan_jax.training.best import BEST, best_note
from gan_jax.training.restore import restored_run, run_conditions, run_data
from gan_jax.training.workdir import recorded_run
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import checked_suffix


def evaluate(request: Request) -> None:
    """gan-jax evaluate: scores of one set of fakes, or of the last and the best checkpoint of a run.

    Each score is written as soon as it is there.

    Raises:
        UserError: something is missing or does not fit; said before anything is computed where it can be.
    """
    if request.metrics:
        if is_run(request.fake) and not set(request.names) <= METRICS.keys():
            recorded_run(Path(request.fake))  # it may have a metric of its own
        chosen(request.names, kid_subset_size=request.kid_subset_size, border=request.border)
    rows = request.out or (Path(request.fake) / ROWS if is_run(request.fake) else None)
    if rows is not None:
        if not rows.is_dir():
            checked_suffix(rows, (".jsonl",))
        check_appendable(rows)
    if request.neighbours is not None:
        checked_suffix(request.neighbours, FORMATS)
    if is_of_two_folders(request):
        record, text = evaluate_folders(request)
        if rows is not None:
            append_row(rows, record.row())
        _say(text)
        return
    real = _reals(request)
    evaluator: Evaluator | None = None
    records = []
    try:
        for fake in _fakes(request, real):
            if evaluator is None:
                evaluator = _evaluator(request, like(real, fake.source), fake)
                evaluator.check_fake(fake)
                if request.neighbours is not None:
                    save_picture(request.neighbours, neighbours_picture(evaluator, fake))
            records.append(evaluator(fake))
            if rows is not None:
                append_row(rows, records[-1].row())
    finally:
        if records:  # also what was measured before a disk was full
            _say(table(records))


def _reals(request: Request) -> ImageSource:
    """The real side."""
    if request.real is not None or not is_run(request.fake):
        for flag, given in (("--real_dir", request.real_dir), ("--changed_reals", request.changed_reals)):
            if given:
                raise UserError(
                    f"{flag} is about the data that the run --fake was trained on: leave it out where --real "
                    "is given, or where --fake is no run"
                )
    if request.real is not None and is_run(request.real):
        return _run_as_reals(Path(request.real), request.seed)
    if request.real is not None:
        return request.open(request.real)
    if not is_run(request.fake):
        raise UserError(
            f"--real is missing: {request.fake} is not a run, so nothing says which images are real; "
            "give a data set (--real=mnist:train), a folder of pictures or an .npz"
        )
    changed = request.changed_reals
    dataset = run_data(request.fake, request.data_dir, request.real_dir, changed=changed)
    if request.direction == "a_to_b":
        return dataset_source(dataset)
    if "source" not in dataset.fields:
        raise UserError(
            f"--direction={request.direction}: {request.fake} was trained on {dataset.name}, which has "
            "no sources: leave it out"
        )
    return dataset_source(turned(dataset))


def _data_dir(request: Request) -> str | None:
    """The data folder: as given, or where the run's data were."""
    if request.data_dir is None and is_run(request.fake):
        return data_folder(recorded_run(Path(request.fake))[0])
    return request.data_dir


def _run_as_reals(workdir: Path, seed: int) -> ImageSource:
    """A run in the place of the reals, drawn with other latents than any fakes.

    Raises:
        UserError: it draws nothing, but makes its images of rows.
    """
    algorithm, spec, state = restored_run(workdir)
    return generator_as_reals(workdir.resolve().name, algorithm, spec, state, seed=seed)


def _held_out(request: Request, real: ImageSource) -> ImageSource | None:
    """Reals that were not trained on: those that are named, or the test split beside the reals."""
    if request.held_out is None:
        return held_out_of(real, _data_dir(request))
    if is_run(request.held_out):
        raise UserError(f"--held_out={request.held_out} is a run: give real images that were not trained on")
    return like(request.open(request.held_out), real)


def _evaluator(request: Request, real: ImageSource, fake: GeneratedSet) -> Evaluator:
    """What measures; all that can be checked is checked before a network is trained or downloaded."""
    num_reals = real.size if request.num_real is None else request.num_real
    if num_reals is None:
        raise UserError(f"{real.name} has no end: say with --num_real how many images are the real ones")
    metrics = chosen(
        request.names or _usual_metrics(real, fake),
        kid_subset_size=request.kid_subset_size,
        border=request.border,
        scale=fake.scale,
    )
    held_out = _held_out(request, real)
    if request.held_out is not None and held_out is not None:
        metrics = held_out_named(metrics, held_out)
    given = Given(
        real,
        num_fakes=request.num or fake.source.size or FAKES,
        num_reals=num_reals,
        fake=fake,
        held_out=held_out,
    )
    check_sides(given)
    if request.neighbours is not None:
        check_pictured(fake.source)
    metrics, left_out = _allowed(request, metrics, given)
    metrics, network, without = _seen_with(request, metrics, real)
    seen = replace(given, real=seen_by(real, network.codec), network=network)
    metrics, others = _allowed(request, metrics, seen)
    if left_out or without or others:
        sys.stderr.write(f"gan-jax: left out: {'; '.join([*left_out, *without, *others])}\n")
    return Evaluator(
        metrics,
        real,
        network,
        num_fakes=given.num_fakes,
        num_reals=given.num_reals,
        held_out=held_out,
        ending="" if request.direction == "a_to_b" else BACK,
    )


def _usual_metrics(real: ImageSource, fake: GeneratedSet) -> tuple[str, ...]:
    """What is measured where no metric is named."""
    usual = listed_names(USUAL_METRICS.get(real.codec.name, DEFAULT))
    paired = fake.rows is not None and fake.truth is not None and real.codec.is_image
    return (*(listed_names(OF_PAIRS) if paired else ()), *(("cycle_error",) if fake.cycle else ()), *usual)


def _seen_with(
    request: Request, metrics: dict[str, Metric], real: ImageSource
) -> tuple[dict[str, Metric], FeatureNetwork, list[str]]:
    """The metrics, the network, and what was left out of the usual metrics because there is no network.

    Raises:
        UserError: there is no network, and it was asked for, or nothing can be measured without one.
    """

    def opened(metrics: dict[str, Metric]) -> FeatureNetwork:
        if request.neighbours is None and not uses_network(metrics):
            return no_network(real.codec)
        return open_network(
            request.network,
            real,
            data_dir=_data_dir(request),
            resizer=request.resizer,
            inception_weights=request.inception_weights,
        )

    free = {name: metric for name, metric in metrics.items() if not metric.uses_network}
    try:
        return metrics, opened(metrics), []
    except UserError as error:
        if not free or request.metrics or request.network != "auto" or request.neighbours:
            raise
        return free, opened(free), [f"{', '.join(name for name in metrics if name not in free)}: {error}"]


def _allowed(
    request: Request, metrics: dict[str, Metric], given: Given
) -> tuple[dict[str, Metric], list[str]]:
    """The metrics that were asked for; or those of the usual ones that can be measured, and why no others.

    Raises:
        UserError: one that was asked for cannot be measured, or none can.
    """
    if not request.metrics:
        return possible(metrics, given)
    check(metrics, given)
    return metrics, []


def _fakes(request: Request, real: ImageSource) -> Iterator[GeneratedSet]:
    """What is to be scored, one after the other."""
    if is_run(request.fake):
        yield from _run_fakes(request)
        return
    turned_round = request.direction != "a_to_b"
    for flag, given in (
        ("--repeats", request.repeats > 1),
        ("--raw", request.raw),
        ("--direction", turned_round),
        ("--truncation", request.truncation != 1.0),
        ("--solver", request.solver is not None),
        ("--steps", request.steps is not None),
        ("--guidance", request.guidance is not None),
    ):
        if given:
            raise UserError(f"{flag} is for runs, and {request.fake} is none: leave it out")
    yield fakes_of_files(request, real)


def _run_fakes(request: Request) -> Iterator[GeneratedSet]:
    """The last and the best checkpoint of a run, each as often as asked."""
    workdir = Path(request.fake)
    algorithm, spec, last = restored_run(workdir)
    config = complete(recorded_run(workdir)[0])
    averaged = is_averaged(config)
    if request.raw and not averaged:
        raise UserError(
            f"--raw: the run in {workdir} keeps no average of its weights (ema=none): leave it out"
        )
    states = {int(last.step): ("last", algorithm, last)}
    best = _best(workdir)
    if best is None:
        sys.stderr.write(f"{workdir} has no best checkpoint: only its last one is scored\n")
    else:
        which, of_phase, state = best
        step = int(state.step)
        states[step] = (f"last, {which}" if step in states else which, of_phase, state)
    makers: dict[int, GeneratedSetMaker] = {}  # by the first step of the phase
    for which, algorithm, state in states.values():
        algorithm = truncated(algorithm, spec, state, request.truncation, request.cutoff)
        algorithm = with_sampler(algorithm, SamplerChoice(request.solver, request.steps, request.guidance))
        if algorithm.first_step not in makers:
            conditions = run_conditions(workdir, algorithm, request.data_dir, request.real_dir)
            makers[algorithm.first_step] = GeneratedSetMaker(
                workdir.resolve().name, algorithm, spec, conditions=conditions
            )
        make = makers[algorithm.first_step]
        used = not_averaged(state) if request.raw else state
        for seed in range(request.seed, request.seed + request.repeats):
            fake = make(used, seed=seed, which=which, averaged=averaged and not request.raw)
            yield fake if request.direction == "a_to_b" else way_back(fake)


def _best(workdir: Path) -> tuple[str, Algorithm, TrainState] | None:
    """Why a checkpoint is a run's best, its algorithm and state; None if the run has none that is intact."""
    if not (workdir / BEST).is_dir():
        return None
    try:
        algorithm, _, state = restored_run(workdir, BEST)
        return f"best by {best_note(workdir)['score']} while training", algorithm, state
    except UserError as error:
        sys.stderr.write(f"the best checkpoint cannot be used: {error}\n")
        return None


def scores(paths: Sequence[Path], *, only: str | None = None, everything: bool = False) -> None:
    """gan-jax scores: one table of what was measured of these runs, or is in these files of rows.

    Args:
        only: the scores to show, with commas between; None for all.
        everything: also what a run measured while it trained, where `gan-jax evaluate` has scored it since.

    Raises:
        UserError: a path without scores, or without these.
    """
    names = None if only is None else listed_names(only)
    records: list[Record] = []
    for path in paths:
        records += _recorded(path, everything)
    there = {name for record in records for name in record.scores}
    if names is not None and (unknown := sorted(set(names) - there)):
        raise UserError(f"--only={only}: none of these has been scored by {', '.join(unknown)}")
    _say(table(records, names))


def _recorded(path: Path, everything: bool) -> list[Record]:
    """The records of a run or of a file of rows."""
    if not path.exists():
        raise UserError(f"{path}: there is no such run or file of rows")
    file = path / ROWS if path.is_dir() else path
    rows = [row for row in read_rows(file) if "evaluation" in row]
    found = [record for record in map(from_row, rows) if record is not None]
    if len(found) < len(rows):
        sys.stderr.write(f"{file}: {len(rows) - len(found)} scores of another version are left out\n")
    if not found:
        remedy = f": gan-jax evaluate --fake={path} measures some" if path.is_dir() else ""
        raise UserError(f"{file} holds no scores{remedy}")
    if path.is_dir():  # a run is called as it is here: others may have the same name elsewhere
        found = [replace(record, fake=str(path)) for record in found]
    if not everything:
        found = [record for record in found if record.which != WHILE_TRAINING] or found
    return found


def train_classifier(
    which: str | ml_collections.ConfigDict, *, data_dir: str | None, seed: int, out: Path | None
) -> None:
    """gan-jax train-classifier: the in-domain network of a data set, or of a config's, trained and kept."""
    options: dict[str, Any] = {}
    if isinstance(which, ml_collections.ConfigDict):
        check_data(which)
        options, data_dir = data_options(which), data_dir or data_folder(which)
        which = which.data.name
    stored = prepare_classifier(which, data_dir=data_dir, seed=seed, options=options, out=out)
    sys.stdout.write(stored.summary())


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
