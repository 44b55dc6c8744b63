"""Runs of the protocols as a table and a figure: modes against the step, and what the generators draw.

    python experiments/stacked_mnist/summary.py runs/stacked_quarter_* --out experiments/stacked_mnist

A run's folder is named stacked_PROTOCOL_VARIANT_sSEED; its scores are those that were measured while it
trained.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gan_jax.evaluation.protocol import Record, from_row
from gan_jax.inference.sample import make_sampler
from gan_jax.summaries.logs import METRICS, read_rows
from gan_jax.summaries.pictures import examples_picture
from gan_jax.training.restore import restored_run
from gan_jax.utils import files
from gan_jax.utils.errors import UserError

NAME = re.compile(r"stacked_(quarter|half|veegan)_(\w+)_s(\d+)")
DRAWN = 12  # samples of each variant's first seed
NUM_MODES = 1000


@dataclass(frozen=True)
class Trained:
    """A run: its folder, and its scores in the order of their steps."""

    folder: Path
    protocol: str
    variant: str
    seed: int
    records: list[Record]
    speeds: list[float]  # train steps per second, evaluation not counted

    def scores(self, name: str) -> np.ndarray:
        """One score at each measured step, float64 [N]."""
        return np.array([record.scores[name].value for record in self.records])

    @property
    def steps(self) -> np.ndarray:
        """Where it was measured, int [N]."""
        return np.array([record.step for record in self.records])


def read(folder: Path) -> Trained:
    """A run's folder.

    Raises:
        UserError: a folder with another name, or one without a score.
    """
    match = NAME.fullmatch(folder.name)
    if match is None:
        raise UserError(f"{folder}: the folder must be named like stacked_quarter_dcgan_s0")
    rows = read_rows(folder / METRICS)
    found = {record.step: record for row in rows if (record := from_row(row)) and "modes" in record.scores}
    if not found:
        raise UserError(f"{folder} holds no score 'modes': train it with --config.evaluation.metrics=modes")
    speeds = [row["steps_per_second"] for row in rows if "steps_per_second" in row]
    records = [found[step] for step in sorted(found, key=int)]  # type: ignore[arg-type]
    return Trained(folder, match[1], match[2], int(match[3]), records, speeds)


def table(runs: Iterable[Trained]) -> str:
    """A row of Markdown for each variant, over its seeds at their last common step."""
    lines = ["| protocol | variant | seeds | steps | modes | KL | steps/s |", "|---|---|---|---|---|---|---|"]
    for group in grouped(runs):
        step = min(run.steps[-1] for run in group)
        at = [int(np.flatnonzero(run.steps == step)[0]) for run in group]
        modes = [run.scores("modes")[i] for run, i in zip(group, at, strict=True)]
        kl = [run.scores("modes_kl")[i] for run, i in zip(group, at, strict=True)]
        speeds = [speed for run in group for speed in run.speeds]
        cells = [group[0].protocol, group[0].variant, str(len(group)), f"{step:,}"]
        cells += [listed(modes, ".0f"), listed(kl, ".2f"), f"{min(speeds):.1f} to {max(speeds):.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def grouped(runs: Iterable[Trained]) -> list[list[Trained]]:
    """The runs by variant, each variant's by seed; the variants in the order in which they come."""
    groups: dict[tuple[str, str], list[Trained]] = {}
    for run in sorted(runs, key=lambda run: run.seed):
        groups.setdefault((run.protocol, run.variant), []).append(run)
    return list(groups.values())


def listed(values: list[float], form: str) -> str:
    """Every value: of so few seeds there is no distribution to speak of."""
    return ", ".join(format(value, form) for value in values)


def draw(runs: list[Trained], path: Path) -> None:
    """Left: modes against the step, a line for each run. Right: samples of each variant's first run."""
    groups = grouped(runs)
    figure = Figure(figsize=(11, 1.2 + 0.9 * max(3, len(groups))), layout="constrained")
    FigureCanvasAgg(figure)
    places = figure.add_gridspec(len(groups), 2, width_ratios=[1, 1.25])
    curves(figure.add_subplot(places[:, 0]), groups)
    for index, group in enumerate(groups):
        cell = figure.add_subplot(places[index, 1])
        cell.imshow(samples(group[0].folder))
        cell.set(xticks=[], yticks=[])
        last = group[0].records[-1]
        modes = last.scores["modes"].value
        cell.set_title(f"{group[0].variant}: {modes:.0f} modes after {last.step:,} steps", fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    files.write_atomically(path, buffer.getvalue())


def curves(axes: Axes, groups: list[list[Trained]]) -> None:
    """Modes against the step; a variant has a colour, a seed a line."""
    for index, group in enumerate(groups):
        for run in group:
            label = run.variant if run is group[0] else None
            axes.plot(run.steps, run.scores("modes"), marker="o", color=f"C{index}", label=label)
    axes.axhline(NUM_MODES, color="black", linestyle=":", linewidth=1, label="all modes")
    axes.set(xlabel="train steps", ylabel="modes reached by 25,600 samples", ylim=(0, NUM_MODES * 1.05))
    axes.set_xlim(left=0)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)


def samples(folder: Path) -> np.ndarray:
    """A row of samples from the last checkpoint, uint8 [h, w, 3]."""
    algorithm, spec, state = restored_run(folder)
    images = make_sampler(algorithm, spec)(state, DRAWN, jax.random.key(0))
    return examples_picture(images, spec.fields["image"].codec, columns=DRAWN)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, help="folders of runs")
    parser.add_argument(
        "--out", type=Path, help="a folder for modes.png; without it only the table is printed"
    )
    flags = parser.parse_args()
    runs = [read(folder) for folder in flags.runs]
    sys.stdout.write(table(runs))
    if flags.out is not None:
        draw(runs, flags.out / "modes.png")


if __name__ == "__main__":
    main()
