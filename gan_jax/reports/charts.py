"""Panels as drawings inside a page (SVG): sharp at any size, in the page's colours, light or dark."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gan_jax.reports.page import escaped, folded, paragraph
from gan_jax.reports.panels import Line, Panel
from gan_jax.reports.ticks import tick_label, ticks, value_range

_WIDTH, _HEIGHT = 420, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 10, 38  # around what is drawn
_LETTER = 7  # the width of one
_COLOURS = 8  # in page.css


def charts(panels: Sequence[Panel]) -> str:
    """The panels beside each other, as many as there is room for; "" for none."""
    if not panels:
        return ""
    last = max(int(line.steps[-1]) for panel in panels for line in panel.lines)
    return "\n".join(['<div class="beside">', *(_figure(panel, last) for panel in panels), "</div>"])


def _figure(panel: Panel, last: int) -> str:
    legend = "".join(map(_key, panel.lines)) if len(panel.lines) > 1 else ""
    caption = f"<figcaption><b>{escaped(panel.title)}</b>{legend and '<br>'}{legend}</figcaption>"
    below = folded("protocol", paragraph(panel.about, "pale")) if panel.about else ""
    return f"<figure>\n{caption}\n{chart(panel, last)}\n{below}\n</figure>"


def _key(line: Line) -> str:
    """A line of the legend: how it is drawn, and its name."""
    drawn = f'<line class="{_class(line)}" x1="0" y1="5" x2="26" y2="5"/>'
    return f'<span class="key"><svg viewBox="0 0 26 10">{drawn}</svg>{escaped(line.label)}</span>'


def _class(line: Line) -> str:
    return f"{_colour(line)}{' dashed' * line.dashed}"


def _colour(line: Line) -> str:
    return f"c{line.colour % _COLOURS}"


def line_width(line: Line) -> float:
    """Later lines are thinner: where two are equal, the lower one is still seen."""
    return max(1.2, 2.6 - 0.4 * line.colour)


def chart(panel: Panel, last: int) -> str:
    """One panel as SVG.

    Args:
        last: the step at which the axis ends.
    """
    behind = [line.every[1] for line in panel.lines if line.every is not None]
    lines = [line.values for line in panel.lines]
    low, high, logarithmic = value_range(lines, behind, linear=panel.linear, shares=panel.shares)

    def across(steps: np.ndarray) -> np.ndarray:
        return _LEFT + np.asarray(steps, np.float64) / max(1, last) * (_WIDTH - _LEFT - _RIGHT)

    def down(values: np.ndarray) -> np.ndarray:
        kept = np.clip(np.asarray(values, np.float64), low, high)
        share = (kept - low) / (high - low)
        if logarithmic:
            share = np.log(kept / low) / np.log(high / low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    parts = []
    for tick in ticks(low, high, logarithmic):
        y = f"{float(down(np.array(tick))):.1f}"
        parts.append(f'<line class="rule" x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y}" dy="4" text-anchor="end">{tick_label(tick)}</text>')
    for tick in ticks(0, max(1, last), most=4):
        place, label = float(across(np.array(tick))), tick_label(tick)
        x, inside = f"{place:.1f}", min(place, _WIDTH - _LETTER * len(label) / 2)
        parts.append(f'<line class="rule" x1="{x}" y1="{_TOP}" x2="{x}" y2="{_HEIGHT - _BOTTOM}"/>')
        parts.append(f'<text x="{inside:.1f}" y="{_HEIGHT - 20}" text-anchor="middle">{label}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle:g}" y="{_HEIGHT - 5}" text-anchor="middle">step</text>')
    for line in panel.lines:
        if line.every is not None:
            steps, values = line.every
            parts.append(_polyline(f"{_colour(line)} every", across(steps), down(values), 0.7))
    for line in panel.lines:
        points = across(line.steps), down(line.values)
        parts.append(_polyline(_class(line), *points, line_width(line)))
        if line.dots or len(line.steps) == 1:
            parts += [
                f'<circle class="{_colour(line)}" cx="{a:.1f}" cy="{b:.1f}" r="2.5"/>'
                for a, b in zip(*points, strict=True)
            ]
    ends = "; ".join(f"{line.label}: {line.values[-1]:.4g} at the end" for line in panel.lines)
    about = escaped(f"{panel.title} against the step. {ends}")
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    return f'<svg class="chart" role="img" aria-label="{about}" {size}>\n{"".join(parts)}\n</svg>'


def _polyline(kind: str, x: np.ndarray, y: np.ndarray, width: float) -> str:
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return f'<polyline class="{kind}" stroke-width="{width:g}" points="{points}"/>'
