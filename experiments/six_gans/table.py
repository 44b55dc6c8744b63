"""The comparison's tables and curves, from its runs' own records.

    python experiments/six_gans/table.py --runs runs/six --out experiments/six_gans

Reads RUNS/NAME for every name in configs.py that is there, and RUNS/NAME_seed1, ... of other training seeds,
and writes tables.md and curves.png. Images are reals that the discriminator was trained on; operations are
those of whole train steps, as `gan-jax info --config` counts them. A score at so many images, or operations,
is on the straight line between the two evaluations about it; of several seeds it is their mean, with the
lowest and the highest.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np

from gan_jax.cli.information import shapes_of_phase
from gan_jax.config.phases import phase_configs
from gan_jax.summaries.costs import parameter_counts, step_flops
from gan_jax.summaries.logs import read_rows
from gan_jax.training.workdir import recorded_run
from gan_jax.utils.errors import UserError

matplotlib.use("agg")
import matplotlib.pyplot as plt

ENTRIES = runpy.run_path(str(Path(__file__).with_name("configs.py")))["ENTRIES"]
EQUAL_IMAGES = 100_000
EQUAL_FLOPS = 60e12
SCORES = ("fid", "kid", "precision", "recall")


class Stretch(NamedTuple):
    """A phase of a run: its steps, and what each of them takes."""

    start: int
    stop: int
    images: int
    flops: float


class Record(NamedTuple):
    """What a run did.

    Attributes:
        label: its method.
        parameters: of the generator and of the discriminator.
        stretches: its phases.
        rate: train steps in a second in its last phase, the median.
        scores: name -> steps at which it was measured, and values.
    """

    label: str
    parameters: tuple[int, int]
    stretches: tuple[Stretch, ...]
    rate: float
    scores: dict[str, tuple[np.ndarray, np.ndarray]]

    def total(self, what: str, step: float) -> float:
        """Images or operations up to a step."""
        lengths = (min(max(step - part.start, 0), part.stop - part.start) for part in self.stretches)
        return sum(n * getattr(part, what) for n, part in zip(lengths, self.stretches, strict=True))

    def curve(self, score: str, what: str) -> tuple[np.ndarray, np.ndarray]:
        """Images or operations, and the score after them."""
        steps, values = self.scores.get(score, (np.zeros(0), np.zeros(0)))
        return np.array([self.total(what, step) for step in steps]), values

    def at(self, score: str, what: str, amount: float) -> float | None:
        """The score after so many images or operations (to a hundredth); None where it was not measured."""
        amounts, values = self.curve(score, what)
        if not len(amounts) or not 0.99 * amounts[0] <= amount <= 1.01 * amounts[-1]:
            return None
        return float(np.interp(amount, amounts, values))


def record_of(folder: Path, label: str) -> Record:
    """Of a run's folder."""
    config, spec, _ = recorded_run(folder)
    stretches = []
    for phase in phase_configs(config):
        algorithm, state, batch = shapes_of_phase(phase, spec)
        images = phase.config.batch_size * phase.config.algorithm.get("discriminator_steps", 1)
        flops = step_flops(algorithm, state, batch).mean
        stretches.append(Stretch(phase.start, phase.stop, images, flops))
    counts = [parameter_counts(state.players[role])[0] for role in ("generator", "discriminator")]
    scores: dict[str, tuple[list[int], list[float]]] = {}
    rates = []
    for row in read_rows(folder / "metrics.jsonl"):
        if "evaluation" in row:
            if row["evaluation"]["which"] != "while training":  # such as one with truncation
                continue
            for name, score in row["evaluation"]["scores"].items():
                steps, values = scores.setdefault(name, ([], []))
                steps.append(row["step"])
                values.append(score["value"])
        elif row["step"] > stretches[-1].start:
            rates.append(row["steps_per_second"])
    arrays = {name: (np.array(steps), np.array(values)) for name, (steps, values) in scores.items()}
    return Record(label, (counts[0], counts[1]), tuple(stretches), float(np.median(rates)), arrays)


def tables(methods: Sequence[Sequence[Record]]) -> str:
    """Costs; scores after equal images, equal operations, and at the end of each run.

    Args:
        methods: of each the runs of its seeds.
    """
    lines = [
        "| | parameters: generator | discriminator | GFLOP for an image | images/s |",
        "|---|---|---|---|---|",
    ]
    for run, *_ in methods:
        last = run.stretches[-1]
        generator, discriminator = run.parameters
        costs = f"{last.flops / last.images / 1e9:.3g} | {run.rate * last.images:.0f}"
        lines.append(f"| {run.label} | {generator:,} | {discriminator:,} | {costs} |")
    for what, amount, title in (
        ("images", EQUAL_IMAGES, f"After {EQUAL_IMAGES:,} images"),
        ("flops", EQUAL_FLOPS, f"After {EQUAL_FLOPS / 1e12:.0f} TFLOP"),
        ("", 0.0, "At the end"),
    ):
        lines += [
            "",
            f"**{title}**",
            "",
            "| | seeds | images | TFLOP | FID ↓ | KID ↓ | precision ↑ | recall ↑ |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for runs in methods:
            run = runs[0]
            end = run.stretches[-1].stop
            step = _step_of(run, what, amount) if what else end
            if step is None:
                lines.append(f"| {run.label} | | | | - | - | - | - |")
                continue
            images, flops = run.total("images", step), run.total("flops", step) / 1e12
            shown = [_shown([run.at(score, "images", images) for run in runs]) for score in SCORES]
            lines.append(f"| {run.label} | {len(runs)} | {images:,.0f} | {flops:.3g} | {' | '.join(shown)} |")
    return "\n".join([*lines, ""])


def _step_of(run: Record, what: str, amount: float) -> float | None:
    """At which step a run has done so much."""
    steps = range(run.stretches[-1].stop + 1)
    amounts = np.array([run.total(what, step) for step in steps])
    return float(np.interp(amount, amounts, np.array(steps))) if amount <= amounts[-1] else None


def _shown(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return "-"
    mean = f"{np.mean(known):.4g}"
    return mean if len(known) == 1 else f"{mean} ({min(known):.4g} to {max(known):.4g})"


def draw(methods: Sequence[Sequence[Record]], path: Path) -> None:
    """FID over images and over operations; a line for each seed."""
    figure, sides = plt.subplots(1, 2, figsize=(10, 4.5), sharey=True, layout="constrained")
    for axes, what, name, unit in zip(
        sides, ("images", "flops"), ("images seen", "TFLOP"), (1.0, 1e12), strict=True
    ):
        for number, runs in enumerate(methods):
            for run in runs:
                amounts, values = run.curve("fid", what)
                label = run.label if run is runs[0] else None
                axes.plot(amounts / unit, values, f"C{number}.-", linewidth=1, markersize=4, label=label)
        axes.set(xscale="log", yscale="log", xlabel=name)
        axes.grid(alpha=0.3, which="both")
    sides[0].axvline(EQUAL_IMAGES, color="grey", linewidth=0.8)
    sides[1].axvline(EQUAL_FLOPS / 1e12, color="grey", linewidth=0.8)
    sides[0].set_ylabel("FID, features of Fashion-MNIST's classifier")
    figure.legend(*sides[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=Path, required=True, help="the folder of the runs' folders")
    parser.add_argument("--out", type=Path, required=True, help="a folder")
    args = parser.parse_args()
    methods = []
    for name, entry in ENTRIES.items():
        folders = [args.runs / name, *sorted(args.runs.glob(f"{name}_seed*"))]
        runs = [record_of(folder, entry.label) for folder in folders if (folder / "config.json").is_file()]
        if len({run.stretches for run in runs}) > 1:
            raise UserError(f"the seeds of {name} in {args.runs} are not of one length: continue them")
        if runs:
            methods.append(runs)
    if not methods:
        raise UserError(f"{args.runs} has none of the runs {', '.join(ENTRIES)}")
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "tables.md").write_text(tables(methods))
    draw(methods, args.out / "curves.png")
    sys.stdout.write((args.out / "tables.md").read_text())


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"table.py: {error}")
