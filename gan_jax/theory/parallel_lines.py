"""Distributions on two parallel lines, whose supports are disjoint.

Arjovsky, Chintala, Bottou 2017, arXiv:1701.07875, example 1: the data are the points (0, y), the fakes the
points (theta, y), y uniform on [0, 1]. The earth mover's distance is |theta|; every divergence of densities
is constant while theta != 0, so that it has no slope in theta to descend on. Normal noise of one standard
deviation on both (Soenderby et al. 2017, arXiv:1610.04490) makes the divergences smooth: they are then those
of two normal distributions at the distance theta, since y is the same on both sides. They are in nats.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.theory import divergences
from gan_jax.theory.grid import Grid, box
from gan_jax.utils.checks import check_range

Array = jax.Array

_REACH = 12.0  # standard deviations on either side of the two means
_NODES_PER_DEVIATION = 20


class LineGenerator(nn.Module):
    """Latents [B, 1], uniform on [-1, 1) -> points (theta, y) as images [B, 1, 1, 2], y on [0, 1).

    theta is the only parameter.
    """

    axis_name: str | None = None
    conditional = False
    num_classes = None

    @nn.compact
    def __call__(self, latent: Array, label: Array | None, train: bool) -> Array:
        theta = self.param("theta", nn.initializers.zeros, ())
        height = (latent[:, 0] + 1.0) / 2.0
        return jnp.stack([jnp.broadcast_to(theta, height.shape), height], axis=-1)[:, None, None, :]


def earth_mover(theta: float) -> float:
    """W = |theta|, with noise as without."""
    return abs(theta)


def penalised_earth_mover(theta: float, weight: float) -> float:
    """E f(real) - E f(fake) of the best critic under WGAN-GP's penalty: |theta| (1 + |theta| / 2 weight).

    Between the lines the best critic is straight, and its slope s maximises s |theta| - weight (s - 1)^2. So
    it is steeper than 1: the penalty costs less than what that gains. Derived here; the penalty is
    equation 3 of Gulrajani et al. 2017, arXiv:1704.00028.
    """
    return abs(theta) * penalised_steepness(theta, weight)


def penalised_steepness(theta: float, weight: float) -> float:
    """The slope of that critic, 1 + |theta| / (2 weight)."""
    return 1.0 + abs(theta) / (2.0 * weight)


def kl(theta: float, noise: float = 0.0) -> float:
    """KL in either direction: infinite where the lines do not meet, theta^2 / (2 noise^2) with noise."""
    if check_range(noise, "noise") > 0.0:
        return theta**2 / (2.0 * noise**2)
    return math.inf if theta else 0.0


def total_variation(theta: float, noise: float = 0.0) -> float:
    """1 where the lines do not meet; with noise erf(|theta| / (sqrt(8) noise))."""
    if check_range(noise, "noise") > 0.0:
        return math.erf(abs(theta) / (math.sqrt(8.0) * noise))
    return 1.0 if theta else 0.0


def jensen_shannon(theta: float, noise: float = 0.0) -> float:
    """ln 2 where the lines do not meet; with noise, by quadrature."""
    if check_range(noise, "noise") > 0.0:
        grid = _grid(theta, noise)
        return divergences.js(_normal(grid, 0.0, noise), _normal(grid, theta, noise), grid)
    return math.log(2.0) if theta else 0.0


# d/dtheta of the generator's loss, the best discriminator D* = p / (p + q) held fixed.


def minimax_slope(theta: float, noise: float) -> float:
    """Of E[ln(1 - D*)]: that of 2 JS. By quadrature.

    Goodfellow et al. 2014, arXiv:1406.2661, theorem 1, and Arjovsky and Bottou 2017, arXiv:1701.04862,
    section 2.
    """
    return _slope(theta, noise, lambda logits: -np.logaddexp(0.0, logits))


def non_saturating_slope(theta: float, noise: float) -> float:
    """Of -E[ln D*]: that of KL(q || p) - 2 JS (Arjovsky and Bottou 2017, arXiv:1701.04862, theorem 2.5)."""
    return _slope(theta, noise, lambda logits: np.logaddexp(0.0, -logits))


def descend(slope: Callable[[float], float], theta: float, rate: float, steps: int) -> np.ndarray:
    """theta in the course of gradient descent, float64 [steps + 1]."""
    path = [float(theta)]
    for _ in range(steps):
        path.append(path[-1] - rate * slope(path[-1]))
    return np.array(path)


def _slope(theta: float, noise: float, loss: Callable[[np.ndarray], np.ndarray]) -> float:
    """E_q[loss'(logit of D*) times that logit's slope in x]: what backpropagation through D* gives."""
    if check_range(noise, "noise") == 0.0:
        raise ValueError("noise=0.0: the best discriminator is not unique off the lines and has no one slope")
    grid = _grid(theta, noise)
    log_q = _normal(grid, theta, noise)
    logits = _normal(grid, 0.0, noise) - log_q
    # By parts: the integral of q(x) d/dx loss = -integral of q'(x) loss, and -q' / q is the score of theta.
    score = (grid.points[:, 0] - theta) / noise**2
    return grid.integral(np.exp(log_q) * score * loss(logits))


def _grid(theta: float, noise: float) -> Grid:
    low, high = min(0.0, theta) - _REACH * noise, max(0.0, theta) + _REACH * noise
    nodes = math.ceil((high - low) / noise * _NODES_PER_DEVIATION) + 1
    return box((low, high, nodes))


def _normal(grid: Grid, mean: float, deviation: float) -> np.ndarray:
    x = (grid.points[:, 0] - mean) / deviation
    return -0.5 * x**2 - math.log(deviation * math.sqrt(2.0 * math.pi))
