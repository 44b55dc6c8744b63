"""Tables and figure of the studies, for the README: python experiments/comparison/points/table.py

Reads their results.jsonl and samplers.jsonl, and times.json; writes table.md and quality_against_time.png.
"""

from __future__ import annotations

import json
import math
import runpy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gan_jax import data
from gan_jax.densities import DENSITIES
from gan_jax.metrics.density_scores import density_scores, projected
from gan_jax.study.results import read_results
from gan_jax.study.statistics import bootstrap
from gan_jax.study.study import open_study, runs_of
from gan_jax.summaries.plotting import new_figure, save_figure

HERE = Path(__file__).parent
FAMILIES = runpy.run_path(str(HERE / "families.py"))
SCORES = ("modes_reached", "high_quality", "reverse_kl", "sliced_wasserstein_1")
DENSITY = {"grid": "grid", "grid_longer": "grid", "spiral": "spiral"}  # of each study
POINTS, DIRECTIONS, REALS, SEEDS = 2_500, 33, 50_000, 20
Rows = list[dict[str, float]]  # of the seeds


def shown(values: Sequence[float], digits: int) -> str:
    """Mean and 95 % interval over the seeds; how many are finite where not all are."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    found = bootstrap(finite)
    text = f"{found.mean:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"
    return text if len(finite) == len(values) else f"{text} ({len(finite)})"


def truth(density: str) -> Rows:
    """The scores of draws of the density itself."""
    known = DENSITIES[density]()
    against = projected(points_of(density, "train")[:REALS], directions=DIRECTIONS)
    rows = []
    for seed in range(SEEDS):
        drawn = np.asarray(known.sample(jax.random.key(1_000 + seed), POINTS))
        found = density_scores(drawn, known, against)
        rows.append({name: float(getattr(found, name)) for name in SCORES})
    return rows


def entropy(density: str) -> float:
    """Mean of -ln p in nats over the held-out points, of which the studies have the bits."""
    held_out = jax.numpy.asarray(points_of(density, "test"))
    return -float(np.mean(np.asarray(DENSITIES[density]().log_prob(held_out), np.float64)))


def points_of(density: str, split: str) -> np.ndarray:
    """Of the data, [N, 2]."""
    source = data.load(density, split=split).source
    return np.stack([source[index]["image"].reshape(2) for index in range(len(source))])


def of_study(study: str) -> tuple[dict[str, Rows], dict[str, Rows]]:
    """Of each family the scores at equal operations, and at equal examples; "steps" among them."""
    results, _ = read_results(HERE / study, runs_of(open_study(HERE / study)))
    last: dict[str, Rows] = {}
    early: dict[str, Rows] = {}
    nats = entropy(DENSITY[study])
    for result in results:
        for found, place in ((last, -1), (early, 0)):
            row = {name: values[place][1] for name, values in result.scores.items()}
            row["steps"] = result.scores["high_quality"][place][0]
            if "bits_per_dim" in row:
                row["kl"] = 2 * math.log(2) * row["bits_per_dim"] - nats
            found.setdefault(result.variant, []).append(row)
    return last, early


def of_samplers(study: str) -> dict[str, Rows]:
    """The same runs of EDM, with each sampler."""
    found: dict[str, Rows] = {}
    for text in (HERE / study / "samplers.jsonl").read_text().splitlines():
        row = json.loads(text)
        found.setdefault(f"edm, {row['sampler']}", []).append(row["scores"])
    return found


def line(name: str, rows: Rows, modes: int, *more: str) -> str:
    """A row of a table."""
    everywhere = sum(row["modes_reached"] == modes for row in rows)
    scores = zip(SCORES, (1, 3, 3, 3), strict=True)
    cells = [shown([row[score] for row in rows], digits) for score, digits in scores]
    return "| " + " | ".join([name, f"{everywhere} of {len(rows)}", *cells, *more]) + " |"


def head(*more: str) -> str:
    """Of a table."""
    names = ["", "all modes", "modes", "near", "reverse KL", "sliced W1", *more]
    return "| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|"


def trained(family: str, rows: Rows) -> list[str]:
    """The last cells of a family: KL of the data to it, in nats, steps, points that were read, operations."""
    steps = int(rows[0]["steps"])
    read = steps * FAMILIES["BATCH"] * (5 if family == "wgan_gp" else 1)
    nats = shown([row["kl"] for row in rows], 3) if "kl" in rows[0] else ""
    return [nats, f"{steps:,}", f"{read:,}", f"{steps * FAMILIES['MFLOP'][family] / 1e3:.0f}"]


def main() -> None:
    """Writes the tables and the figure."""
    methods = json.loads((HERE / "times.json").read_text())["methods"]
    truths = {density: truth(density) for density in dict.fromkeys(DENSITY.values())}
    lines, points = [], {}
    for study, density in DENSITY.items():
        true, modes = truths[density], len(DENSITIES[density]().weights)
        last, early = of_study(study)
        budgets = {"equal operations": last} | ({} if study == "grid_longer" else {"equal examples": early})
        for title, found in budgets.items():
            lines += [f"\n**{study}, {title}**\n", head("KL of the data", "steps", "points read", "GFLOP")]
            lines.append(line("*the truth*", true, modes, "0", "", "", ""))
            lines += [line(family, rows, modes, *trained(family, rows)) for family, rows in found.items()]
        samplers = of_samplers(study)
        lines += [f"\n**{study}, one diffusion model**\n", head("evaluations", "ms for 1,000 points")]
        for name, rows in samplers.items():
            about = str(methods[name]["evaluations"]), timed(methods[name])
            lines.append(line(name.removeprefix("edm, "), rows, modes, *about))
        points[study] = {name: rows for name, rows in last.items() if name != "edm"} | samplers
    lines += ["\n**Time to draw 1,000 points**\n", "| | evaluations | MFLOP | ms |\n|---|---|---|---|"]
    lines += [
        f"| {name} | {about['evaluations']} | {about['mflop']:,.4g} | {timed(about)} |"
        for name, about in methods.items()
    ]
    (HERE / "table.md").write_text("\n".join(lines).strip() + "\n")
    draw(points, truths, methods)


def timed(about: dict[str, Any]) -> str:
    """Median and interval."""
    median, low, high = about["ms"]
    return f"{median:.3g} [{low:.3g}, {high:.3g}]"


def draw(points: dict[str, dict[str, Rows]], truths: dict[str, Rows], methods: dict[str, Any]) -> None:
    """Quality against time, both with intervals."""
    figure = new_figure(11.0, 4.0 * len(points))
    axes = figure.subplots(len(points), 2, sharex=True)
    panels = {"high_quality": "share near the data", "sliced_wasserstein_1": "sliced W1 to the data"}
    for row, (study, found) in zip(axes, points.items(), strict=True):
        for ax, (score, label) in zip(row, panels.items(), strict=True):
            true = bootstrap([one[score] for one in truths[DENSITY[study]]]).mean
            ax.axhline(true, color="0.6", linestyle="--", linewidth=1)
            ax.text(
                0.01,
                true,
                "the truth",
                color="0.4",
                fontsize=8,
                va="bottom",
                transform=ax.get_yaxis_transform(),
            )
            for color, kind in (("C0", "heun"), ("C1", "ddim"), ("C2", "ancestral")):
                names = [name for name in found if name.startswith(f"edm, {kind}")]
                spots = [spot(ax, methods[name], found[name], score, color) for name in names]
                ax.plot(*zip(*spots, strict=True), color=color, label=f"diffusion, {kind}", linewidth=1)
                for name, (x, y) in zip(names, spots, strict=True):
                    ax.annotate(
                        name.split()[-1], (x, y), (4, 4), textcoords="offset points", fontsize=7, color=color
                    )
            for number, name in enumerate(name for name in found if not name.startswith("edm")):
                color = f"C{3 + number}"
                x, y = spot(ax, methods[name], found[name], score, color)
                ax.plot([x], [y], "s", color=color, label=name)
            ax.set(xscale="log", title=f"{study}: {label}")
            if score == "sliced_wasserstein_1":
                ax.set_yscale("log")
    for ax in axes[-1]:
        ax.set_xlabel("milliseconds for 1,000 points")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8)
    save_figure(figure, HERE / "quality_against_time.png")


def spot(ax: Any, method: dict[str, Any], rows: Rows, score: str, color: str) -> tuple[float, float]:
    """Draws both intervals of a method; the place of its marker."""
    x, x_low, x_high = method["ms"]
    found = bootstrap([row[score] for row in rows])
    bars = dict(xerr=[[x - x_low], [x_high - x]], yerr=[[found.mean - found.low], [found.high - found.mean]])
    ax.errorbar(x, found.mean, **bars, fmt="o", markersize=3, color=color, linewidth=1)
    return x, found.mean


if __name__ == "__main__":
    main()
