"""A `Comparison` as one picture."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from gan_jax.reports.charts import line_width
from gan_jax.reports.comparison import Comparison
from gan_jax.reports.panels import Panel
from gan_jax.reports.score_rows import scores_of
from gan_jax.reports.ticks import tick_label, ticks, value_range
from gan_jax.summaries.plotting import new_figure
from gan_jax.utils import files

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _DPI = 14.0, 100  # inches, and dots per inch
_SAMPLES_BESIDE, _PANELS_BESIDE = 4, 3
_PANEL, _LINE = 2.7, 0.24  # inches: a panel's height, a table's row
_ROWS = 40  # of a table; a page shows all
_LETTERS = 170  # of a table's row
Part = tuple[float, Callable[[Any], None]]  # height in inches, and what draws it in a sub-figure


def comparison_picture(compared: Comparison, path: Path) -> None:
    """Draws samples, curves, scores and the differences of the configs below each other, as a PNG.

    Raises:
        UserError: the disk is full or the folder cannot be written to.
    """
    losses, scores = compared.panels()
    rows, _ = scores_of(compared.runs)
    parts = [
        *_samples(compared),
        *_curves("scores", scores),
        *_curves("losses and what else was recorded, smoothed", losses),
        *_table("scores", [list(column) for column in zip(*rows, strict=True)]),  # there are more than runs
        *_table("where the configs differ", compared.differences()),
    ]
    if not parts:
        parts = [(1.0, lambda figure: figure.suptitle("nothing is recorded of these runs yet"))]
    figure = new_figure(_WIDTH, sum(height for height, _ in parts))
    subfigures = np.atleast_1d(
        figure.subfigures(len(parts), 1, height_ratios=[height for height, _ in parts], squeeze=False).ravel()
    )
    for place, (_, draw) in zip(subfigures, parts, strict=True):
        draw(place)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    files.write_atomically(path, buffer.getvalue())


def _samples(compared: Comparison) -> list[Part]:
    """The newest samples of each run, its name in the colour of its lines."""
    pictures: dict[str, tuple[int, np.ndarray]] = dict(compared.drawn)
    if not pictures:
        for name, grids in compared.grids.items():
            if grids:
                step = max(grids)
                with Image.open(grids[step]) as opened:
                    pictures[name] = step, np.asarray(opened.convert("RGB"))
    if not pictures:
        return []
    columns = min(len(pictures), _SAMPLES_BESIDE)
    lines = math.ceil(len(pictures) / columns)
    tall = max(pixels.shape[0] / pixels.shape[1] for _, pixels in pictures.values())
    height = min(_WIDTH / columns * tall, 8.0)
    names = [run.name for run in compared.runs]

    def draw(figure: Any) -> None:
        every = figure.subplots(lines, columns, squeeze=False).ravel()
        for axes in every:
            axes.set_axis_off()
        for axes, (name, (step, pixels)) in zip(every, pictures.items(), strict=False):
            axes.imshow(pixels[..., 0] if pixels.shape[-1] == 1 else pixels, cmap="gray", vmin=0, vmax=255)
            title = textwrap.shorten(name, 40, placeholder="...")
            axes.set_title(f"{title}, step {step:,}", color=f"C{names.index(name)}", fontsize=11)

    return [(lines * (height + 0.5) + 0.2, draw)]


def _curves(title: str, panels: Sequence[Panel]) -> list[Part]:
    if not panels:
        return []
    lines = math.ceil(len(panels) / _PANELS_BESIDE)
    last = max(int(line.steps[-1]) for panel in panels for line in panel.lines)

    def draw(figure: Any) -> None:
        figure.suptitle(title, fontsize=12, x=0.01, ha="left")
        every = figure.subplots(lines, _PANELS_BESIDE, squeeze=False).ravel()
        for axes in every[len(panels) :]:
            axes.set_visible(False)
        for axes, panel in zip(every, panels, strict=False):
            _panel(axes, panel, last)

    return [(lines * _PANEL + 0.4, draw)]


def _panel(axes: Axes, panel: Panel, last: int) -> None:
    for line in panel.lines:
        axes.plot(
            line.steps,
            line.values,
            color=f"C{line.colour}",
            linestyle="--" if line.dashed else "-",
            linewidth=line_width(line) * 0.7,
            marker="o" if line.dots or len(line.steps) == 1 else None,
            markersize=3,
            label=line.label,
        )
    values = [line.values for line in panel.lines]
    low, high, logarithmic = value_range(values, linear=panel.linear, shares=panel.shares)
    if logarithmic:
        axes.set_yscale("log")
        axes.minorticks_off()
    marks, steps = ticks(low, high, logarithmic), ticks(0, max(1, last), most=4)
    axes.set_yticks(marks, [tick_label(mark) for mark in marks], fontsize=8)
    axes.set_xticks(steps, [tick_label(step) for step in steps], fontsize=8)
    axes.set_xlim(0, max(1, last))
    axes.set_ylim(low, high)
    axes.set_title(panel.title, fontsize=10, loc="left")
    axes.set_xlabel("step", fontsize=8)
    axes.grid(visible=True, alpha=0.3)
    # Below the panel, where it hides no line.
    if len(panel.lines) > 1:
        axes.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)


def _table(title: str, rows: Sequence[Sequence[str]]) -> list[Part]:
    """Rows of texts, the head first."""
    if len(rows) < 2:
        return []
    shown, longest = list(rows[: _ROWS + 1]), 48
    more = len(rows) - len(shown)
    while (widths := _widths(shown)).sum() > _LETTERS and longest > 8:
        longest -= 1
        shown = [[_short(cell, longest) for cell in row] for row in rows[: _ROWS + 1]]

    def draw(figure: Any) -> None:
        left_out = f" ({more} more are left out; a page, .html, has all)" if more else ""
        figure.suptitle(f"{title}{left_out}", fontsize=12, x=0.01, ha="left")
        axes = figure.subplots()
        axes.set_axis_off()
        share = min(1.0, widths.sum() / _LETTERS)
        made = axes.table(
            cellText=shown[1:],
            colLabels=shown[0],
            colWidths=list(widths / widths.sum()),
            cellLoc="left",
            colLoc="left",
            bbox=(0, 0, share, 1),
        )
        made.auto_set_font_size(False)
        made.set_fontsize(8)
        for (row, _), cell in made.get_celld().items():
            cell.set_linewidth(0.3)
            cell.get_text().set_parse_math(False)
            if row == 0:
                cell.set_facecolor("0.93")

    return [(len(shown) * _LINE + 0.5, draw)]


def _widths(rows: Sequence[Sequence[str]]) -> np.ndarray:
    """Letters of each column."""
    return np.array([max(len(row[column]) for row in rows) + 3.0 for column in range(len(rows[0]))])


def _short(text: str, letters: int) -> str:
    """The beginning and the end of a long text: where several begin alike, their ends tell them apart."""
    if len(text) <= letters:
        return text
    end = (letters - 3) // 2
    return f"{text[: letters - 3 - end]}...{text[len(text) - end :]}"
