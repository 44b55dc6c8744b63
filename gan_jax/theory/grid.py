"""Integrals over a box in one or two dimensions: nodes, weights, and densities on the nodes.

The trapezoid rule on evenly spaced nodes: for a smooth function that is practically zero at the edges of
the box its error falls faster than any power of the spacing (Trefethen and Weideman 2014, "The exponentially
convergent trapezoidal rule", SIAM Review 56(3)). A Gaussian's integral is exact to eight digits already where
the spacing is its standard deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from gan_jax.densities.density import Density
from gan_jax.utils.checks import is_count

_LOST = 1e-4  # share of a density that may be missing on a grid before `log_density` refuses


@dataclass(frozen=True)
class Grid:
    """Nodes and weights of a quadrature: the integral of f is about sum_i weights[i] f(points[i]).

    Attributes:
        points: float64 [N, D].
        weights: float64 [N], each at least 0; their sum is the volume of the box.
        shape: nodes along each of the D axes; their product is N, the last axis runs fastest.
    """

    points: np.ndarray
    weights: np.ndarray
    shape: tuple[int, ...]

    @property
    def dimension(self) -> int:
        """D."""
        return self.points.shape[1]

    def integral(self, values: np.ndarray) -> float:
        """The integral of a function from its values [N] on the nodes."""
        values = np.asarray(values, np.float64)
        if values.shape != self.weights.shape:
            raise ValueError(f"values {list(values.shape)} on a grid of {len(self.weights)} nodes")
        return float(self.weights @ values)


def box(*sides: tuple[float, float, int]) -> Grid:
    """The trapezoid rule over a box.

    Args:
        sides: for each axis its lower end, its upper end, and how many nodes, at least 2; one or two axes.

    Raises:
        ValueError: another number of axes, ends in the wrong order, too few nodes.
    """
    if len(sides) not in (1, 2):
        raise ValueError(f"{len(sides)} axes: a grid has one or two")
    axes, weights = zip(*(_trapezoid(*side) for side in sides), strict=True)
    points = np.stack([x.ravel() for x in np.meshgrid(*axes, indexing="ij")], axis=1)
    product = weights[0] if len(sides) == 1 else np.multiply.outer(*weights).ravel()
    return Grid(points, product, tuple(len(axis) for axis in axes))


def cells(lower: float, upper: float, count: int) -> Grid:
    """The midpoint rule in one dimension: `count` cells of equal width, for densities that are histograms."""
    if not (lower < upper and is_count(count)):
        raise ValueError(f"cells({lower}, {upper}, {count}): expected lower < upper and a positive count")
    edges = np.linspace(lower, upper, count + 1)
    return Grid(((edges[1:] + edges[:-1]) / 2)[:, None], np.diff(edges), (count,))


def log_density(density: Density, grid: Grid) -> np.ndarray:
    """ln p on the nodes, float64 [N], in nats; computed in float32 by the density itself.

    Raises:
        ValueError: dimensions differ; or p does not integrate to 1 on this grid, because the box cuts it off
            or the nodes are too far apart for it.
    """
    if density.dimension != grid.dimension:
        raise ValueError(f"a density over R^{density.dimension} on a grid over R^{grid.dimension}")
    found = np.asarray(density.log_prob(jnp.asarray(grid.points, jnp.float32)), np.float64)
    mass = grid.integral(np.exp(found))
    if abs(mass - 1.0) > _LOST:
        raise ValueError(f"the density integrates to {mass:.6f} on this grid: a larger box or more nodes")
    return found


def on_axes(values: Sequence[float] | np.ndarray, grid: Grid) -> np.ndarray:
    """Values [N] on the nodes as a table of `grid.shape`, for pictures; row i is node i of the first axis."""
    return np.asarray(values).reshape(grid.shape)


def _trapezoid(lower: float, upper: float, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    if not (lower < upper and is_count(nodes) and nodes >= 2):
        raise ValueError(f"({lower}, {upper}, {nodes}): expected lower < upper and at least 2 nodes")
    points = np.linspace(lower, upper, nodes)
    weights = np.full(nodes, (upper - lower) / (nodes - 1))
    weights[[0, -1]] /= 2
    return points, weights
