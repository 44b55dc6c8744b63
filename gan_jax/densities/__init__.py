"""Distributions with known densities, as data for GANs."""

from __future__ import annotations

from collections.abc import Callable

from gan_jax.densities.curves import Curve, spiral, swiss_roll, two_moons
from gan_jax.densities.density import NEAR, Density
from gan_jax.densities.lines import Line, parallel_lines
from gan_jax.densities.mixture import Mixture, gaussian, grid, mixture, ring
from gan_jax.utils.tables import Table

DENSITIES: Table[Callable[..., Density]] = Table(
    "density",
    {
        "gaussian": gaussian,
        "mixture": mixture,
        "ring": ring,
        "grid": grid,
        "swiss_roll": swiss_roll,
        "two_moons": two_moons,
        "spiral": spiral,
        "parallel_lines": parallel_lines,
    },
)

__all__ = [
    "DENSITIES",
    "NEAR",
    "Curve",
    "Density",
    "Line",
    "Mixture",
    "gaussian",
    "grid",
    "mixture",
    "parallel_lines",
    "ring",
    "spiral",
    "swiss_roll",
    "two_moons",
]
