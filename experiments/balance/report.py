"""The table and the figure of the study: means, intervals over the seeds of the classifier, paired tests."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from experiments.balance import design
from gan_jax.study.statistics import Paired, bootstrap, holm, paired
from gan_jax.summaries.plotting import new_figure, save_figure
from gan_jax.utils import files

Row = dict[str, Any]
ACROSS = 3  # panels of the figure


def values(rows: list[Row], cut: str, method: str, score: str) -> dict[int, float]:
    """By the classifier's seed; of several generators the mean."""
    found: dict[int, list[float]] = {}
    for row in rows:
        if row["cut"] == cut and row["method"] == method and row[score] is not None:
            found.setdefault(row["seed"], []).append(row[score])
    return {seed: float(np.mean(each)) for seed, each in sorted(found.items())}


def _interval(by_seed: dict[int, float]) -> str:
    if not by_seed:
        return ""
    found = bootstrap(list(by_seed.values()))
    spread = "" if math.isnan(found.low) else f" [{100 * found.low:.1f}, {100 * found.high:.1f}]"
    return f"{100 * found.mean:.1f}{spread}"


def comparisons(rows: list[Row], cut: str) -> dict[tuple[str, str], tuple[Paired, float]]:
    """Of each method with what it is compared with: the pair's test, and its p after Holm's correction."""
    pairs: dict[tuple[str, str], Paired] = {}
    for method in design.methods_of(cut):
        with_pictures = bool(design.METHODS[method].generator)
        for other in {"nothing", design.baseline(method, cut) if with_pictures else "nothing"} - {method}:
            mine, theirs = (values(rows, cut, name, "balanced_accuracy") for name in (method, other))
            if mine.keys() & theirs.keys():
                pairs[method, other] = paired(mine, theirs, "higher")
    corrected = holm([pair.p_value for pair in pairs.values()])
    return {names: (pair, p) for (names, pair), p in zip(pairs.items(), corrected, strict=True)}


def _difference(found: dict[tuple[str, str], tuple[Paired, float]], method: str, other: str) -> str:
    if (method, other) not in found:
        return ""
    pair, p = found[method, other]
    difference = pair.difference
    spread = (
        "" if math.isnan(difference.low) else f" [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"
    )
    return f"{100 * difference.mean:+.1f}{spread}, {pair.wins} of {pair.n}, p {p:.2f}"


def table(rows: list[Row]) -> str:
    """Markdown."""
    heads = ("balanced accuracy, %", "rare classes, %", "minus nothing", "minus the same without pictures")
    lines = [f"| cut | method | {' | '.join(heads)} |", "|---|---|---|---|---|---|"]
    for cut in design.CUTS:
        found = comparisons(rows, cut)
        for method in design.methods_of(cut):
            score = values(rows, cut, method, "balanced_accuracy")
            if not score:
                continue
            own = design.METHODS[method].generator and design.baseline(method, cut)
            cells = [
                cut,
                method,
                _interval(score),
                _interval(values(rows, cut, method, "rare_recall")),
                _difference(found, method, "nothing"),
                _difference(found, method, own) if own else "",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def figure(rows: list[Row], path: Path) -> None:
    """Each seed a point, with the mean and its interval, a panel for each cut."""
    cuts = [cut for cut in design.CUTS if any(row["cut"] == cut for row in rows)]
    if not cuts:
        return
    across = min(len(cuts), ACROSS)
    down = math.ceil(len(cuts) / across)
    image = new_figure(4.2 * across, 3.6 * down)
    panels = image.subplots(down, across, squeeze=False).ravel()
    for axes, cut in zip(panels, cuts, strict=False):
        methods = [name for name in design.methods_of(cut) if values(rows, cut, name, "balanced_accuracy")]
        for place, method in enumerate(reversed(methods)):
            found = list(values(rows, cut, method, "balanced_accuracy").values())
            colour = "tab:red" if design.METHODS[method].generator else "tab:blue"
            mean = bootstrap(found)
            axes.plot(found, [place] * len(found), ".", color=colour, alpha=0.4, markersize=6)
            axes.plot([mean.low, mean.high], [place, place], color=colour, linewidth=1.5)
            axes.plot(mean.mean, place, "|", color="black", markersize=12)
        axes.set_yticks(range(len(methods)), list(reversed(methods)), fontsize=8)
        axes.set_title(cut, fontsize=10)
        axes.set_xlabel("balanced accuracy on the test set", fontsize=8)
        axes.grid(axis="x", alpha=0.3)
    save_figure(image, path)


def write_report(folder: Path, rows: list[Row]) -> None:
    """Writes table.md and balance.png into the folder."""
    files.write_atomically(folder / "table.md", table(rows).encode())
    figure(rows, folder / "balance.png")
