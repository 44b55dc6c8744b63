"""The figures of a study: scores over training with bands over seeds, a forest plot, the first samples."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gan_jax.reports.ticks import tick_label
from gan_jax.study.result import Result
from gan_jax.study.statistics import quantiles
from gan_jax.study.summary import Summary, direction, in_order, over_training, ranking
from gan_jax.summaries.plotting import new_figure, save_figure
from gan_jax.utils.paths import expanded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TOGETHER = 4  # more variants than this get a panel each: bands that overlap cannot be told apart
_COLUMNS = 5  # of small panels
_LETTERS = 34  # of a line of a label
_BANDS = (0.1, 0.25, 0.5, 0.75, 0.9)
_GREY = "0.55"
_WIDE_RANGE = 100.0  # of medians or means, where less is better: beyond it the axis is logarithmic


def curves_name(score: str) -> str:
    """The file of `score_curves`."""
    return f"{_file_name(score)}_curves.png"


def ranking_name(score: str) -> str:
    """The file of `ranking_plot`."""
    return f"ranking_{_file_name(score)}.png"


def write_figures(
    folder: Path | str,
    *,
    variants: Sequence[str],
    results: Iterable[Result],
    ranked_by: Sequence[str],
    compare_to: str | None,
) -> list[str]:
    """Draws `score_curves` and `ranking_plot` of each score that has a finite value.

    Args:
        folder: where they are put.
        variants: names, in the study's order.
        results: one of each run that is done.
        ranked_by: the scores to draw.
        compare_to: the variant that the others are compared with, if any.

    Returns:
        the files' names.

    Raises:
        ValueError: results that do not belong to the study.
        UserError: the disk is full or the folder cannot be written to.
    """
    ordered = in_order(results, list(variants))
    written = []
    for score in dict.fromkeys(ranked_by):
        drawn = [name for name in variants if np.isfinite(over_training(ordered, name, score)[1]).any()]
        if not drawn:
            continue
        score_curves(expanded(folder) / curves_name(score), ordered, drawn, score, compare_to)
        written.append(curves_name(score))
        if any(summary.last.n for summary in ranking(ordered, drawn, score)):
            ranking_plot(expanded(folder) / ranking_name(score), ordered, drawn, score, compare_to)
            written.append(ranking_name(score))
    return written


def score_curves(
    path: Path | str, results: Sequence[Result], variants: Sequence[str], score: str, compare_to: str | None
) -> None:
    """Median over seeds against the step, with the bands from 25 to 75 % and (thin lines) 10 to 90 %.

    Up to four variants share one panel. More have one each, on equal axes, with the median of `compare_to`
    in grey. A run that diverged is drawn up to there, and the bands are of the runs that are left.

    Args:
        path: the PNG file to write, atomically.
        results: from `summary.in_order`.
        variants: to draw.
        score: to draw.
        compare_to: drawn in grey in the others' panels; may be None.
    """
    bands = {name: _bands(results, name, score) for name in variants}
    if len(variants) <= _TOGETHER:
        figure = new_figure(8.0, 4.5)
        axes = figure.subplots()
        for index, name in enumerate(variants):
            _draw_bands(axes, *bands[name], f"C{index}", _labelled(results, name))
        # Above the panel, where it hides no line.
        axes.legend(fontsize=9, frameon=False, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
        panels = [axes]
    else:
        figure, panels = _small_panels(len(variants))
        for axes, name in zip(panels, variants, strict=True):
            if compare_to in bands and name != compare_to:
                steps, values = bands[compare_to]
                axes.plot(steps, values[2], color=_GREY, linewidth=1.2, zorder=1)
            _draw_bands(axes, *bands[name], "C0" if name != compare_to else "0.3", None)
            axes.set_title(textwrap.fill(_labelled(results, name), _LETTERS), fontsize=8, pad=3)
    every = np.concatenate([values.ravel() for _, values in bands.values()])
    medians = np.concatenate([values[2] for _, values in bands.values()])
    for axes in panels:
        axes.grid(visible=True, alpha=0.3)
        if _logarithmic(medians, every, direction(results, score)):
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(_plain)
        axes.xaxis.set_major_formatter(_plain)
    text = "median, 25-75 % (band) and 10-90 % (thin) over training seeds"
    grey = f"; grey: {compare_to}" if len(variants) > _TOGETHER and compare_to in bands else ""
    figure.suptitle(f"{score}{_arrow(direction(results, score))}: {text}{grey}", fontsize=10)
    figure.supxlabel("train step", fontsize=10)
    figure.supylabel(score, fontsize=10)
    save_figure(figure, path)


def ranking_plot(
    path: Path | str, results: Sequence[Result], variants: Sequence[str], score: str, compare_to: str | None
) -> None:
    """A forest plot: each variant's mean of the last values with its 95 % interval, and a dot per seed.

    The best stands on top. Runs that diverged have no dot; their number stands beside the name.

    Args:
        path: the PNG file to write, atomically.
        results: from `summary.in_order`.
        variants: to draw.
        score: to draw.
        compare_to: a dashed line shows its mean; may be None.
    """
    summaries = ranking(results, variants, score)
    figure = new_figure(8.0, 1.2 + 0.3 * len(summaries))
    axes = figure.subplots()
    for row, summary in enumerate(summaries):
        if row % 2:
            axes.axhspan(row - 0.5, row + 0.5, color="0.95", zorder=-1)
        _draw_row(axes, row, summary, summary.variant == compare_to)
        if summary.variant == compare_to and summary.last.n:
            axes.axvline(summary.last.mean, color=_GREY, linestyle="--", linewidth=1, zorder=0)
    axes.set_yticks(range(len(summaries)), [_row_label(summary) for summary in summaries], fontsize=9)
    axes.set_ylim(len(summaries) - 0.4, -0.6)
    axes.grid(visible=True, axis="x", alpha=0.3)
    every = np.array([value for summary in summaries for value in summary.values.values()])
    means = np.array([summary.last.mean for summary in summaries])
    if _logarithmic(means, every, summaries[0].better):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(_plain)
    dashed = f"; dashed: {compare_to}" if any(summary.variant == compare_to for summary in summaries) else ""
    text = f"{score}{_arrow(summaries[0].better)} at the end: mean, 95 % interval, dots: seeds{dashed}"
    axes.set_xlabel(textwrap.fill(text, 2 * _LETTERS + 16))
    save_figure(figure, path)


def _draw_row(axes: Axes, row: int, summary: Summary, reference: bool) -> None:
    """A dot per seed, spread over the row's height so that equal values are seen; mean and interval."""
    values = np.array(list(summary.values.values()))
    if not len(values):
        return
    spread = np.linspace(-0.28, 0.28, len(values)) if len(values) > 1 else np.zeros(1)
    axes.plot(values, row + spread, "o", color="C0", markersize=4, alpha=0.4, markeredgewidth=0, zorder=2)
    colour = "0.35" if reference else "black"
    if summary.last.n > 1:
        axes.plot([summary.last.low, summary.last.high], [row, row], color=colour, linewidth=2, zorder=3)
    axes.plot([summary.last.mean], [row], "D", color=colour, markersize=5, zorder=4)


def _row_label(summary: Summary) -> str:
    """The name, and how many of the runs have no dot."""
    notes = [
        f"{len(seeds)} of {summary.runs} {what}"
        for what, seeds in (("diverged", summary.diverged), ("not finite", summary.not_finite))
        if seeds
    ]
    text = f"{summary.variant} ({', '.join(notes)})" if notes else summary.variant
    return textwrap.fill(text, _LETTERS)


def _bands(results: Sequence[Result], variant: str, score: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps [T] and quantiles [5, T]."""
    steps, values = over_training(results, variant, score)
    return steps, quantiles(values, _BANDS)


def _draw_bands(axes: Axes, steps: np.ndarray, bands: np.ndarray, colour: str, label: str | None) -> None:
    drawn = np.where(np.isfinite(bands), bands, np.nan)
    axes.fill_between(steps, drawn[1], drawn[3], color=colour, alpha=0.25, linewidth=0)
    for edge in (drawn[0], drawn[4]):
        axes.plot(steps, edge, color=colour, linewidth=0.6, alpha=0.6)
    marker = "o" if len(steps) < 3 else None  # a line of one point is nothing
    axes.plot(steps, drawn[2], color=colour, linewidth=1.8, label=label, marker=marker, zorder=3)


def _labelled(results: Sequence[Result], variant: str) -> str:
    """The name, the seeds, and how many of them diverged."""
    runs = [run for run in results if run.variant == variant]
    diverged = sum(not run.finished for run in runs)
    return f"{variant} (n = {len(runs)}{f', {diverged} diverged' if diverged else ''})"


def _small_panels(count: int) -> tuple[Figure, list[Axes]]:
    """As many panels on common axes, and nothing where the last row has none."""
    columns = min(_COLUMNS, math.ceil(math.sqrt(count)))
    rows = math.ceil(count / columns)
    figure = new_figure(2.3 * columns, 0.8 + 1.5 * rows)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes in grid[count:]:
        axes.set_visible(False)
    for axes in grid[max(0, count - columns) : count]:
        axes.tick_params(labelbottom=True)  # the lowest of each column
    for axes in grid:
        axes.tick_params(labelsize=7)
        axes.locator_params(axis="x", nbins=4)
    return figure, list(grid[:count])


def _logarithmic(centres: np.ndarray, every: np.ndarray, better: str) -> bool:
    """By the medians or means: one lucky seed near 0 must not squeeze all others into a corner."""
    centres, every = centres[np.isfinite(centres)], every[np.isfinite(every)]
    positive = len(centres) > 0 and every.min() > 0
    return bool(better == "lower" and positive and centres.max() > _WIDE_RANGE * centres.min())


def _plain(value: float, _: float) -> str:
    """A tick's number in full, no power of ten."""
    return tick_label(value)


def _arrow(better: str) -> str:
    return {"higher": " (higher is better)", "lower": " (lower is better)"}.get(better, "")


def _file_name(score: str) -> str:
    return re.sub(r"[^\w.-]", "_", score)
