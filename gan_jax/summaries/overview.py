"""One picture of a run: its samples beside real examples, and the curves of its losses."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from gan_jax.summaries.plotting import new_figure
from gan_jax.summaries.smoothing import smoothed, thinned
from gan_jax.utils import files

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _DPI = 14.0, 100  # inches and dots per inch: two pictures of 600 to 700 pixels side by side
_POINTS = 2000  # drawn per line: more than the picture has columns


def overview(
    samples: np.ndarray,
    reals: np.ndarray,
    losses: np.ndarray,
    path: Path | str,
    title: str,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    columns_of_reals: Sequence[str] = (),
    baselines: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Draws samples on the left, reals on the right and the loss curves below, as a PNG.

    Args:
        samples: a picture, uint8 [h, w, C] with C = 1, 3 or 4.
        reals: another, as high and as wide as it likes.
        losses: structured array; row i is step i + 1, fields are metric names, NaN where not trained. Every
            `*_loss` is drawn, and in a second panel `discriminator_real*` and `discriminator_fake*`, where
            they are: probabilities, or what else the loss makes of logits.
        path: the file to write, atomically.
        title: over the samples.
        rows: names of the classes, one for each row of the samples; empty without such rows.
        columns: names, one for each column of the samples; empty where they have none.
        columns_of_reals: likewise of the reals.
        baselines: values by the name of a metric, or by what it begins with, that are drawn and named.

    Raises:
        UserError: the disk is full or the folder cannot be written to.
    """
    tall = max(picture.shape[0] / picture.shape[1] for picture in (samples, reals))
    height = (_WIDTH / 2 - 0.5) * tall
    figure = new_figure(_WIDTH, height + 5.0)
    axes = figure.subplots(2, 2, height_ratios=[height + 0.5, 4.5])
    _show(axes[0, 0], samples, title, rows, columns)
    _show(axes[0, 1], reals, "real examples", (), columns_of_reals)
    _curves(axes[1, 0], axes[1, 1], losses, baselines)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    files.write_atomically(path, buffer.getvalue())


def _show(axes: Axes, picture: np.ndarray, title: str, rows: Sequence[str], columns: Sequence[str]) -> None:
    """A picture without a frame, with names beside its rows and above its columns."""
    axes.imshow(picture[..., 0] if picture.shape[-1] == 1 else picture, cmap="gray", vmin=0, vmax=255)
    axes.set_title(title)
    axes.set_xticks([])
    if columns:
        width = picture.shape[1] / len(columns)
        axes.set_xticks([width * (column + 0.5) for column in range(len(columns))], labels=list(columns))
        axes.xaxis.tick_top()
    height = picture.shape[0] / max(1, len(rows))
    axes.set_yticks([height * (row + 0.5) for row in range(len(rows))], labels=list(rows))
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _curves(loss: Axes, outputs: Axes, losses: np.ndarray, baselines: Mapping[str, float]) -> None:
    """Loss per batch, and the discriminator's outputs, against the step."""
    names = losses.dtype.names or ()
    own = {name: name.replace("_", " ") for name in names if name.endswith("_loss")}
    _panel(loss, losses, own, baselines)
    loss.set(ylabel="loss per batch", xlabel="step")
    labels = {
        name: label
        + name.removeprefix(start).replace("_", " ")  # of several discriminators each with its name
        for start, label in (("discriminator_real", "D(x)"), ("discriminator_fake", "D(G(z))"))
        for name in names
        if name.startswith(start)
    }
    _panel(outputs, losses, labels, baselines)
    outputs.set(ylabel="mean output of D", xlabel="step")
    drawn = [losses[name] for name in labels]
    if all(np.nanmin(x, initial=0.0) >= 0.0 and np.nanmax(x, initial=1.0) <= 1.0 for x in drawn):
        outputs.set_ylim(-0.02, 1.02)  # probabilities


def _panel(axes: Axes, losses: np.ndarray, labels: dict[str, str], baselines: Mapping[str, float]) -> None:
    """Each field twice: thin and pale as it is, and above all of these smoothed; with the fields' baselines.

    Later lines are thinner: where two are equal, the lower one is still seen.
    """
    values_drawn: dict[float, str] = {}
    for n, (name, label) in enumerate(labels.items()):
        trained = np.flatnonzero(np.isfinite(losses[name]))
        values = losses[name][trained].astype(np.float64)
        steps, color = trained + 1, f"C{n}"
        axes.plot(*thinned(steps, values, _POINTS), color=color, linewidth=0.5, alpha=0.35, zorder=1.5)
        width = max(1.2, 2.4 - 0.8 * n)
        axes.plot(*smoothed(steps, values, _POINTS), color=color, linewidth=width, label=label, zorder=3)
        for start, value in baselines.items():
            if name.startswith(start):
                values_drawn[value] = "0.35" if value in values_drawn else color
    for value, color in values_drawn.items():
        axes.axhline(value, color=color, linewidth=1.0, linestyle=":", zorder=2)
        axes.annotate(
            *(_in_words(value), (1.0, value)),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
            color=color,
        )
    axes.grid(visible=True, alpha=0.3)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.ticklabel_format(axis="y", style="plain", useOffset=False)
    if labels:
        # Above the panel, where it hides no line.
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(labels), frameon=False)


def _in_words(value: float) -> str:
    """A baseline as formulas write it."""
    known = {2 * math.log(2): "2 log 2", math.log(2): "log 2", -math.log(2): "-log 2", 0.5: "1/2"}
    return next((words for exact, words in known.items() if abs(value - exact) < 1e-5), f"{value:g}")
