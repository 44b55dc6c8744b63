"""Helpers for figures of studies and experiments. No pyplot: it keeps figures and picks a screen."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from gan_jax.utils import files

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: Path | str, dpi: int = 100) -> None:
    """Writes the figure as a PNG of 256 colours, a third of the size of one with all, atomically.

    Raises:
        UserError: the disk is full or the folder cannot be written to.
    """
    files.checked_suffix(path, (".png",))
    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi)
    Image.open(drawn).convert("RGB").quantize(256).save(small, "PNG", optimize=True)
    files.write_atomically(path, small.getvalue())


def median_band(
    axes: Axes,
    x: Sequence[float] | np.ndarray,
    rows: np.ndarray,
    label: str,
    color: str,
    style: str = "-",
    share: float = 1.0,
) -> None:
    """The median over the seeds as a line, and a band that holds the middle `share` of them.

    Args:
        x: [T].
        rows: [T, S], one column for each seed.
        share: 1.0 is all of them, 0.5 from the lower to the upper quartile.
    """
    if not 0.0 < share <= 1.0:
        raise ValueError(f"share={share}: it must be in (0, 1]")
    low, high = np.quantile(rows, [(1 - share) / 2, (1 + share) / 2], axis=1)
    axes.plot(x, np.median(rows, axis=1), color=color, linestyle=style, label=label)
    axes.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)
