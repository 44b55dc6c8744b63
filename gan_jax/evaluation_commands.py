"""What `gan-jax evaluate`, `scores` and `train-classifier` do, once their flags are read."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gan_jax.build import evaluation_plan, is_averaged, open_data
from gan_jax.components import complete
from gan_jax.errors import UserError
from gan_jax.evaluate import Evaluator, chosen, held_out_of
from gan_jax.fakes import Fake, FakeMaker, not_averaged
from gan_jax.logs import METRICS as ROWS
from gan_jax.logs import append_row, read_rows
from gan_jax.metrics.classifier_cache import prepare_classifier
from gan_jax.metrics.network import digest_of
from gan_jax.metrics.networks import open_network
from gan_jax.metrics.protocol import Record, from_row, table
from gan_jax.metrics.sources import ImageSource, dataset_source, generator_source, is_run, open_source
from gan_jax.neighbours import neighbours_picture
from gan_jax.pictures import save_png
from gan_jax.restore import BEST, restored_run
from gan_jax.workdir import recorded_run

REAL_SEED = 2**31  # added to the seed where the reals are drawn from a generator
FAKES = 50_000  # images drawn from a generator, if --num does not say how many


@dataclass(frozen=True)
class Request:
    """The flags of `gan-jax evaluate`.

    Attributes:
        fake, real: a run's folder, a folder of pictures, an .npz of images, or NAME[:SPLIT] of a data set;
            real may be None for a run: the split that it was trained on.
        metrics: names with commas between.
        num: images of the fakes; None for 50,000 of a generator and for all of files.
        num_real: the first so many of the reals; None for all.
        network, resizer, inception_weights: as `metrics.networks.open_network` takes them.
        seed: of the latents and of what metrics draw.
        repeats: evaluations with the seeds seed, seed + 1, ...
        raw: the trained weights in the place of their average.
        data_dir: the data folder.
        out: a file of rows for the scores; None for a run's metrics.jsonl.
        neighbours: a PNG to write, of the first fakes and the reals that are nearest to them.
    """

    fake: str
    real: str | None
    metrics: str
    num: int | None
    num_real: int | None
    network: str
    resizer: str
    inception_weights: str | None
    seed: int
    repeats: int
    raw: bool
    data_dir: str | None
    out: Path | None
    neighbours: Path | None


def evaluate(request: Request) -> None:
    """gan-jax evaluate: scores of one set of fakes, or of the last and the best checkpoint of a run.

    Each score is written as soon as it is there.

    Raises:
        UserError: something is missing or does not fit; said before anything is computed where it can be.
    """
    chosen(_names(request.metrics))
    real = _reals(request)
    evaluator: Evaluator | None = None
    records = []
    for fake in _fakes(request):
        if evaluator is None:
            evaluator = _evaluator(request, real, fake)
            evaluator.check_fake(fake)
            if request.neighbours is not None:
                save_png(request.neighbours, neighbours_picture(evaluator, fake))
        record = evaluator(fake)
        records.append(record)
        _keep(record, request)
    _say(table(records))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _reals(request: Request) -> ImageSource:
    """The real side."""
    if request.real is not None and is_run(request.real):
        return _run_as_reals(Path(request.real), request.seed)
    if request.real is not None:
        return open_source(request.real, data_dir=request.data_dir)
    if not is_run(request.fake):
        raise UserError(
            f"--real is missing: {request.fake} is not a run, so nothing says which images are real; "
            "give a data set (--real=mnist:train), a folder of pictures or an .npz"
        )
    return dataset_source(open_data(recorded_run(Path(request.fake))[0], request.data_dir))


def _run_as_reals(workdir: Path, seed: int) -> ImageSource:
    """A run in the place of the reals, drawn with other latents than any fakes."""
    algorithm, spec, state = restored_run(workdir)
    other = REAL_SEED + seed
    source = generator_source(f"run {workdir.resolve().name}", algorithm, spec, state, seed=other)
    return replace(source, fingerprint=f"generator {digest_of(state.ema, '')} seed {other}")


def _evaluator(request: Request, real: ImageSource, fake: Fake) -> Evaluator:
    network = open_network(
        request.network,
        real,
        data_dir=request.data_dir,
        resizer=request.resizer,
        inception_weights=request.inception_weights,
    )
    return Evaluator(
        _names(request.metrics),
        real,
        network,
        num_fakes=request.num or fake.source.size or FAKES,
        num_reals=request.num_real,
        held_out=held_out_of(real, request.data_dir),
    )


def _fakes(request: Request) -> Iterator[Fake]:
    """What is to be scored, one after the other."""
    if is_run(request.fake):
        yield from _run_fakes(request)
        return
    for flag, given in (("--repeats", request.repeats > 1), ("--raw", request.raw)):
        if given:
            raise UserError(f"{flag} is for runs, and {request.fake} is none: leave it out")
    yield Fake(source=open_source(request.fake, data_dir=request.data_dir), seed=request.seed)


def _run_fakes(request: Request) -> Iterator[Fake]:
    """The last and the best checkpoint of a run, each as often as asked."""
    workdir = Path(request.fake)
    algorithm, spec, last = restored_run(workdir)
    config = complete(recorded_run(workdir)[0])
    averaged = is_averaged(config)
    if request.raw and not averaged:
        raise UserError(
            f"--raw: the run in {workdir} keeps no average of its weights (ema=none): leave it out"
        )
    states = {int(last.step): ("last", last)}
    if (workdir / BEST).is_dir():
        best = restored_run(workdir, BEST)[2]
        ranked_by = f"best by {evaluation_plan(config).ranked_by} while training"
        which = f"last, {ranked_by}" if int(best.step) in states else ranked_by
        states[int(best.step)] = (which, best)
    else:
        sys.stderr.write(f"{workdir} was trained without evaluation: only its last checkpoint is scored\n")
    make = FakeMaker(workdir.resolve().name, algorithm, spec)
    for which, state in states.values():
        used = not_averaged(state) if request.raw else state
        for seed in range(request.seed, request.seed + request.repeats):
            yield make(used, seed=seed, which=which, averaged=averaged and not request.raw)


def _keep(record: Record, request: Request) -> None:
    """Writes the scores to --out, or beside the run's other rows."""
    if request.out is not None:
        append_row(request.out, record.row())
    elif is_run(request.fake):
        append_row(Path(request.fake) / ROWS, record.row())


def scores(paths: Sequence[str]) -> None:
    """gan-jax scores: one table of what was measured of these runs, or is in these files of rows.

    Raises:
        UserError: a path without scores.
    """
    records: list[Record] = []
    for text in paths:
        path = Path(text)
        file = path / ROWS if path.is_dir() else path
        found = [record for record in map(from_row, read_rows(file)) if record is not None]
        if path.is_dir():  # a run is called as it is here: others may have the same name elsewhere
            found = [replace(record, fake=str(path)) for record in found]
        if not found:
            raise UserError(f"{file} has no scores: run gan-jax evaluate --fake={text} first")
        records += found
    _say(table(records))


def train_classifier(name: str, *, data_dir: str | None, seed: int, out: Path | None) -> None:
    """gan-jax train-classifier: the in-domain network of a data set, trained and kept."""
    sys.stdout.write(prepare_classifier(name, data_dir=data_dir, seed=seed, out=out).summary())


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
