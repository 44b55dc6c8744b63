"""Divergences and distances of two densities on a grid: KL, JS, total variation, W1.

All take ln p and ln q, float64 [N] in nats, as `grid.log_density` gives them; -inf is a density of 0, and
0 ln 0 is 0. Divergences are in nats.
"""

from __future__ import annotations

import math

import numpy as np

from gan_jax.theory.grid import Grid


def kl(log_p: np.ndarray, log_q: np.ndarray, grid: Grid) -> float:
    """KL(p || q) = integral of p ln(p / q), at least 0; infinite where q is 0 and p is not.

    KL(data || model) is what maximum likelihood minimises; KL(model || data) the "reverse" one, which does
    not mind a mode that the model leaves out (Goodfellow 2016, arXiv:1701.00160, section 3.2.5).
    """
    p, there = _density(log_p, grid)
    log_q = np.asarray(log_q, np.float64)
    if np.isneginf(log_q[there]).any():
        return math.inf
    terms = np.zeros_like(p)
    terms[there] = p[there] * (np.asarray(log_p)[there] - log_q[there])
    return grid.integral(terms)


def js(log_p: np.ndarray, log_q: np.ndarray, grid: Grid) -> float:
    """The Jensen-Shannon divergence, KL(p || m) / 2 + KL(q || m) / 2 with m = (p + q) / 2; 0 to ln 2.

    It is ln 2 where no point has both densities, however near the two are. Goodfellow et al. 2014,
    arXiv:1406.2661, theorem 1, where the generator that faces the best discriminator minimises it.
    """
    log_m = np.logaddexp(log_p, log_q) - math.log(2.0)
    return (kl(log_p, log_m, grid) + kl(log_q, log_m, grid)) / 2.0


def total_variation(log_p: np.ndarray, log_q: np.ndarray, grid: Grid) -> float:
    """Half the integral of |p - q|, 0 to 1: the largest difference of the probabilities of one event."""
    return grid.integral(np.abs(_density(log_p, grid)[0] - _density(log_q, grid)[0])) / 2.0


def wasserstein_1(log_p: np.ndarray, log_q: np.ndarray, grid: Grid) -> float:
    """The earth mover's distance on the line, in units of x: the integral of |P(x) - Q(x)|, P and Q the CDFs.

    Vallender 1974, "Calculation of the Wasserstein distance between probability distributions on the line".

    Raises:
        ValueError: the grid has more than one dimension.
    """
    if grid.dimension != 1:
        raise ValueError(f"the CDFs' formula holds on the line, not in {grid.dimension} dimensions")
    mass = grid.weights * (_density(log_p, grid)[0] - _density(log_q, grid)[0])
    # A node's mass counts half on either side of it, so that mirror images have the same distance.
    difference = np.cumsum(mass) - mass / 2
    return grid.integral(np.abs(difference))


def _density(log_p: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """The density, and where it is above 0."""
    log_p = np.asarray(log_p, np.float64)
    if log_p.shape != grid.weights.shape:
        raise ValueError(f"log densities {list(log_p.shape)} on a grid of {len(grid.weights)} nodes")
    p = np.exp(log_p)
    return p, p > 0.0
