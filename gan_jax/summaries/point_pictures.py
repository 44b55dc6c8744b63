"""Pictures of points whose density is known: scatter plots in the plane, histograms on the line."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.densities.density import Density
from gan_jax.metrics.modes import mode_coverage

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURED_POINTS = 2500  # as VEEGAN draws (Srivastava et al. 2017, arXiv:1705.07761, section 4.1)
_SIDE = 6.0  # inches
_DOTS_PER_INCH = 100
_BINS = 100
_BEHIND, _FRONT = "0.75", "C0"  # grey and blue


def points_picture(points: np.ndarray, density: Density | None) -> np.ndarray:
    """Draws points over the density that they should have.

    In the plane: the points in blue, as many draws of the density in grey behind them. On the line: a
    histogram in blue, the density as a curve. The limits follow
    from the density alone, so that pictures of one run can be compared. The title says which modes were
    reached, how many of the points belong to one, and how many lie beyond the limits.

    Args:
        points: [N, 1, 1, D] or [N, D], finite, N >= 1, D = 1 or 2.
        density: of the same dimension.

    Raises:
        ValueError: no density is known, no points, or points in more than two dimensions.

    Returns:
        uint8 [600, 600, 3]; the same for the same input.
    """
    # Slow to import, and needed by nobody else. No pyplot: it keeps figures and picks a screen.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if density is None:
        raise ValueError("points of an unknown density cannot be drawn: give Points the density")
    if density.dimension not in (1, 2):
        raise ValueError(f"points in {density.dimension} dimensions cannot be drawn: expected 1 or 2")
    if not len(points) or np.size(points) != len(points) * density.dimension:
        raise ValueError(f"expected points [N, {density.dimension}] with N >= 1, got {np.shape(points)}")
    flat = np.asarray(points, np.float64).reshape(len(points), -1)
    figure = Figure(figsize=(_SIDE, _SIDE), dpi=_DOTS_PER_INCH, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    low, high = limits(density)
    if density.dimension == 1:
        _line(axes, flat[:, 0], density, low[0], high[0])
    else:
        _plane(axes, flat, density, low, high)
    beyond = int(((flat < low) | (flat > high)).any(axis=1).sum())
    axes.set_title(_title(flat, density, beyond), fontsize=10)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def limits(density: Density) -> tuple[np.ndarray, np.ndarray]:
    """The least and greatest coordinates that are drawn, float64 [D] each: a square around all of it."""
    drawn = _drawn(density)
    low, high = drawn.min(axis=0), drawn.max(axis=0)
    half = 0.65 * (high - low).max()
    centre = (low + high) / 2
    return centre - half, centre + half


def _drawn(density: Density) -> np.ndarray:
    """Draws of the density, float64 [PICTURED_POINTS, D]."""
    return _remembered(cast("Hashable", density))  # every density is a frozen dataclass


@lru_cache(maxsize=4)  # every picture of a run wants the same
def _remembered(density: Density) -> np.ndarray:
    sample = jax.jit(lambda key: density.sample(key, PICTURED_POINTS))
    return np.asarray(sample(jax.random.key(0)), np.float64)


def _plane(axes: Axes, points: np.ndarray, density: Density, low: np.ndarray, high: np.ndarray) -> None:
    behind = _drawn(density)
    axes.scatter(behind[:, 0], behind[:, 1], s=9, color=_BEHIND, linewidths=0, label="the density")
    axes.scatter(
        points[:, 0], points[:, 1], s=4, color=_FRONT, alpha=0.6, linewidths=0, label=f"{len(points)} points"
    )
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    axes.legend(loc="upper right", fontsize=8)


def _line(axes: Axes, points: np.ndarray, density: Density, low: float, high: float) -> None:
    edges = np.linspace(low, high, _BINS + 1)
    width = edges[1] - edges[0]
    heights = np.histogram(points, edges)[0] / (len(points) * width)  # those beyond count, and are not seen
    axes.stairs(heights, edges, fill=True, color=_FRONT, alpha=0.6, label=f"{len(points)} points")
    places = np.linspace(low, high, 1001)
    curve = np.exp(np.asarray(density.log_prob(jnp.asarray(places[:, None], jnp.float32))))
    axes.plot(places, curve, color="0.3", linewidth=1.5, label="the density")
    axes.set(xlim=(low, high), ylim=(0.0, 1.6 * curve.max()), ylabel="density")
    axes.legend(loc="upper right", fontsize=8)


def _title(points: np.ndarray, density: Density, beyond: int) -> str:
    modes = len(density.weights)
    found = mode_coverage(density.mode_of(points), modes, density.weights)
    parts = [f"{found.modes} of {modes} modes", f"{found.high_quality:.1%} of the points near one"]
    return ", ".join(parts + ([f"{beyond} beyond the picture"] if beyond else []))
