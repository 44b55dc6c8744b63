"""What `gan-jax report` and `gan-jax compare` do, once their flags are read."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gan_jax.reports.comparison import Comparison, comparison_page
from gan_jax.reports.run_facts import RunFacts, run_facts
from gan_jax.reports.run_page import write_run_report
from gan_jax.reports.study_page import MARKDOWN, write_study_page
from gan_jax.study.study import FILE as STUDY
from gan_jax.training.workdir import FILE as RECORD
from gan_jax.training.workdir import read_record
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import checked_suffix, write_atomically

PAGE, PICTURE = ".html", ".png"


def report(folder: Path, out: Path | None) -> None:
    """gan-jax report: the page of a run or of a study."""
    if out is not None:
        checked_suffix(out, (PAGE,))
    is_study = any((folder / name).is_file() for name in (STUDY, MARKDOWN)) and not (folder / RECORD).exists()
    if is_study:
        written = write_study_page(folder, out)
    else:
        written = write_run_report(folder, read_record(folder), out)
    _say(written)


def compare(folders: Sequence[Path], out: Path, seed: int | None) -> None:
    """gan-jax compare: runs beside each other, as a page or a picture."""
    suffix = checked_suffix(out, (PAGE, PICTURE))
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise UserError("a run is named twice: give different ones")
    records = [read_record(folder) for folder in folders]  # before anything is drawn
    runs = [
        run_facts(folder, record, name)
        for folder, record, name in zip(folders, records, names_of(folders), strict=True)
    ]
    compared = _drawn(runs, seed) if seed is not None else Comparison(runs, {}, _how(runs))
    if suffix == PAGE:
        write_atomically(out, comparison_page(compared).encode())
    else:
        from gan_jax.reports.compare_picture import comparison_picture  # slow to import

        comparison_picture(compared, out)
    _say(out)


def names_of(folders: Sequence[Path]) -> list[str]:
    """What the runs are called beside each other: their folders' names, or whole paths if two are equal."""
    names = [folder.resolve().name for folder in folders]
    return names if len(set(names)) == len(names) else [str(folder) for folder in folders]


def _how(runs: Sequence[RunFacts]) -> str:
    """Whether the runs' own pictures are of the same latents."""
    seeds = {run.fields.get("seed") for run in runs}
    if len(seeds) == 1:
        return f"As the runs drew them while they trained, from the seed {seeds.pop()}."
    return (
        "As the runs drew them while they trained, each from its own seed; gan-jax compare --seed=0 draws "
        "all from one."
    )


def _drawn(runs: Sequence[RunFacts], seed: int) -> Comparison:
    """Samples of the newest checkpoints, from the same latents where the runs have equal ones."""
    from gan_jax.training.drawing import drawn_grid  # only here: it computes

    pictures: dict[str, tuple[int, np.ndarray]] = {run.name: drawn_grid(run.folder, seed) for run in runs}
    return Comparison(runs, pictures, f"Drawn from the newest checkpoints with the seed {seed}.")


def _say(path: Path) -> None:
    sys.stdout.write(f"written: {path}\n")
