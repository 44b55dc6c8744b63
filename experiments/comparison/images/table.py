"""The comparison's tables and figure, of scores.jsonl and costs.json.

    python experiments/comparison/images/table.py

Writes tables.md and quality_and_time.png beside this file. Of several training seeds a table has the mean,
and the lowest and highest.
"""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np

matplotlib.use("agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

HERE = Path(__file__).parent
STEPS = runpy.run_path(str(HERE / "study.py"))["STEPS"]
LABELS = {
    "dcgan": "DCGAN",
    "r3gan_loss": "R3GAN's loss, DCGAN's networks",
    "stylegan2": "StyleGAN2",
    "vae": "VAE",
    "vae_gan": "VAE-GAN",
    "edm": "EDM",
    "ddpm": "DDPM",
    "flow": "Glow",
    "pixelcnn": "PixelCNN",
}
BATCH = {"dcgan": 32, "stylegan2": 16, "vae": 128, "pixelcnn": 32}  # the others' is 64
DEFAULT = {"edm": "heun 18", "ddpm": "ancestral 50"}  # where a diffusion model has one row
SCORES = {
    "FID": "fid, classifier",
    "KID": "kid, classifier",
    "precision": "precision, classifier",
    "recall": "recall, classifier",
    "density": "density, classifier",
    "coverage": "coverage, classifier",
    "FID, random features": "fid, random",
    "bits/dim": "bits_per_dim",
    "close to a training image": "nearest_close_share, classifier",
}


class Entry(NamedTuple):
    """A trained method and how it is sampled, over its training seeds.

    Attributes:
        variant: of the study.
        sampler: of a diffusion model; "" of others.
        scores: name -> value of each seed.
    """

    variant: str
    sampler: str
    scores: Mapping[str, list[float]]

    @property
    def family(self) -> str:
        return self.variant.split()[0]

    @property
    def cost_name(self) -> str:
        """Its name in costs.json, where sampling is concerned."""
        return f"{self.family} {self.sampler}".strip()

    @property
    def steps(self) -> int:
        return int(STEPS[self.variant][1])

    @property
    def images(self) -> int:
        """That it was trained on, repetitions counted."""
        return self.steps * BATCH.get(self.family, 64)


def entries() -> list[Entry]:
    """Of all rows of scores.jsonl, in the study's order."""
    rows = [json.loads(line) for line in (HERE / "scores.jsonl").read_text().splitlines()]
    files = {variant.replace(" ", "_"): variant for variant in STEPS}
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    for row in sorted(rows, key=lambda row: row["run"]):
        variant = files[row["run"].rpartition("-")[0]]
        scores = found.setdefault((variant, row["sampler"]), {})
        for name, value in row["scores"].items():
            scores.setdefault(name, []).append(value)
    made = [Entry(variant, sampler, scores) for (variant, sampler), scores in found.items()]
    order = list(STEPS)

    def place(entry: Entry) -> tuple[int, str, int]:
        solver, _, steps = entry.sampler.partition(",")[0].partition(" ")
        return order.index(entry.variant), solver, int(steps or 0)

    return sorted(made, key=place)


def shown(values: Iterable[float], digits: int = 3) -> str:
    """The mean, with the range of several."""
    values = list(values)
    if not values:
        return "-"
    mean = f"{np.mean(values):.{digits}g}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.{digits}g} to {max(values):.{digits}g})"


def header(*names: str) -> list[str]:
    return [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]


def of_budget(entries: list[Entry], costs: Mapping[str, Any], budget: str) -> list[str]:
    """A row for each family."""
    lines = header("", "seeds", "images", "TFLOP", "minutes", *SCORES)
    for entry in entries:
        words = entry.variant.split()
        if (len(words) > 1 and words[1] != budget) or entry.sampler != DEFAULT.get(entry.family, ""):
            continue
        cost = costs[entry.family]
        tflop = entry.images * cost["training_gflop"] / 1e3
        minutes = entry.steps * cost["train_step_seconds"][0] / 60
        scores = [shown(entry.scores.get(name, [])) for name in SCORES.values()]
        seeds = len(entry.scores["fid, classifier"])
        row = [
            LABELS[entry.family],
            f"{seeds}",
            f"{entry.images:,}",
            f"{tflop:.3g}",
            f"{minutes:.2g}",
            *scores,
        ]
        lines.append(f"| {' | '.join(row)} |")
    return lines


def of_sampling(entries: list[Entry], costs: Mapping[str, Any]) -> list[str]:
    """What an image costs, and how good it is after equal training operations."""
    lines = header(
        "",
        "parameters",
        "evaluations",
        "GFLOP for an image",
        "images/s in batches of 64",
        "one image, ms",
        "FID",
    )
    for entry in entries:
        if entry.variant.endswith(" images") or "," in entry.sampler:
            continue
        parameters = " + ".join(f"{count:,}" for count in costs[entry.family]["parameters"])
        label = f"{LABELS[entry.family]} {entry.sampler}".strip()
        costing = ["-"] * 4  # of a sampler that was not timed
        if cost := costs.get(entry.cost_name):
            rate, latency = 64 / cost["batch_seconds"][0], 1e3 * cost["one_seconds"][0]
            evaluations, operations = cost["evaluations"], cost["sampling_gflop"]
            costing = [f"{evaluations:,}", f"{operations:.3g}", f"{rate:.3g}", f"{latency:.3g}"]
        fid = shown(entry.scores["fid, classifier"])
        lines.append(f"| {' | '.join([label, parameters, *costing, fid])} |")
    return lines


def of_few(entries: list[Entry]) -> list[str]:
    """The samplers that were scored on few images: FIDs that compare with each other only."""
    names = {"FID": "fid, classifier", "precision": "precision, classifier", "recall": "recall, classifier"}
    lines = header("", *names)
    for entry in entries:
        if "," in entry.sampler:
            values = [shown(entry.scores[name]) for name in names.values()]
            lines.append(f"| {LABELS[entry.family]} {entry.sampler} | {' | '.join(values)} |")
    return lines


def draw(entries: list[Entry], costs: Mapping[str, Any], path: Path) -> None:
    """FID against the time of an image; bars are ranges, of rounds and of training seeds."""
    figure, sides = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    for axes, score, name in zip(
        sides, ("fid, classifier", "fid, random"), ("classifier's features", "random features"), strict=True
    ):
        lines: dict[str, list[tuple[float, float]]] = {}
        labels: list[tuple[str, tuple[float, float], str]] = []
        for entry in entries:
            if entry.variant.endswith(" images") or entry.cost_name not in costs:
                continue
            times = [1e3 * seconds / 64 for seconds in costs[entry.cost_name]["batch_seconds"]]
            values = entry.scores[score]
            mean = float(np.mean(values))
            colour = f"C{list(LABELS).index(entry.family)}"
            xerr = [[times[0] - times[1]], [times[2] - times[0]]]
            yerr = [[mean - min(values)], [max(values) - mean]]
            axes.errorbar(times[0], mean, yerr, xerr, color=colour, marker="o", markersize=5, capsize=2)
            kind = entry.sampler.partition(" ")[0]
            lines.setdefault(f"{entry.family} {kind}".strip(), []).append((times[0], mean))
            text = f"{LABELS[entry.family]} {entry.sampler}".strip().replace(", ", ",\n")
            labels.append((text, (times[0], mean), colour))
        for key, points in lines.items():
            if len(points) > 1:
                x, y = zip(*sorted(points), strict=True)
                colour = f"C{list(LABELS).index(key.split()[0])}"
                axes.plot(x, y, "-" if "ddim" in key else "--", color=colour, linewidth=0.8, zorder=0)
        axes.set(xscale="log", yscale="log", xlabel="ms for an image, in batches of 64", title=f"FID, {name}")
        axes.margins(x=0.15, y=0.1)
        axes.grid(alpha=0.3, which="both")
        write_labels(axes, labels)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def write_labels(axes: Axes, labels: list[tuple[str, tuple[float, float], str]]) -> None:
    """Texts beside points, on the side where they lie on no other text; (text, point, colour)."""
    axes.figure.canvas.draw()
    taken: list[Any] = []
    for text, point, colour in labels:
        for across, up in ((5, 4), (-5, 4), (5, -10), (-5, -10), (5, 14), (-5, -20)):
            label = axes.annotate(
                text,
                point,
                (across, up),
                textcoords="offset points",
                fontsize=8,
                color=colour,
                horizontalalignment="left" if across > 0 else "right",
            )
            box = label.get_window_extent()
            inside = axes.bbox.x0 < box.x0 and box.x1 < axes.bbox.x1
            if inside and not any(box.overlaps(other) for other in taken):
                break
            label.remove()
        else:
            label = axes.annotate(text, point, (5, 4), textcoords="offset points", fontsize=8, color=colour)
        taken.append(label.get_window_extent())


def main() -> None:
    read = json.loads((HERE / "costs.json").read_text())
    costs, found = read["costs"], entries()
    lines = ["**At equal images: 74,112**", "", *of_budget(found, costs, "images")]
    lines += ["", "**At equal operations: 40 TFLOP**", "", *of_budget(found, costs, "operations")]
    lines += ["", f"**Sampling** ({read['machine']['hardware']})", "", *of_sampling(found, costs)]
    if any("," in entry.sampler for entry in found):
        lines += ["", "**By 256 images**", "", *of_few(found)]
    (HERE / "tables.md").write_text("\n".join([*lines, ""]))
    draw(found, costs, HERE / "quality_and_time.png")


if __name__ == "__main__":
    main()
