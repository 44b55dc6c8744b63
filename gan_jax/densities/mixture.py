"""Mixtures of isotropic Gaussians: a single one, some on a line, a ring, a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.core.randomness import example_keys
from gan_jax.densities.density import NEAR
from gan_jax.utils.checks import check_count, check_number, check_range

Array = jax.Array

_CHUNK = 8192  # points whose distances to all modes are held at once
SMALLEST = 1e-6  # a standard deviation below this is lost in the rounding of float32 points


@dataclass(frozen=True)
class Mixture:
    """sum_k weights[k] N(means[k], stds[k]^2 I) over R^D. A component is a mode.

    Attributes:
        means: centres [K, D].
        stds: standard deviations [K] of every coordinate, above 0.
        shares: how likely the components are [K], above 0, in any unit; None: equally. `weights` has the
            probabilities.
    """

    means: tuple[tuple[float, ...], ...]
    stds: tuple[float, ...]
    shares: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        sizes = {len(mean) for mean in self.means}
        if len(sizes) != 1 or sizes == {0}:
            raise ValueError(f"means={self.means!r}: expected at least one centre, all of one dimension")
        for mean in self.means:
            for coordinate in mean:
                check_number(coordinate, "means", "made of finite numbers")
        if len(self.stds) != len(self.means):
            raise ValueError(f"stds={self.stds!r}: expected one for each of {len(self.means)} means")
        for std in self.stds:
            check_range(std, "stds", low=SMALLEST)
        if self.shares is None:
            return
        if len(self.shares) != len(self.means):
            raise ValueError(f"weights={self.shares!r}: expected one for each of {len(self.means)} means")
        for share in self.shares:
            if not check_range(share, "weights") > 0.0:
                raise ValueError(f"weights={self.shares!r}: each must be above 0; leave the mode out instead")

    @property
    def dimension(self) -> int:
        """D."""
        return len(self.means[0])

    @property
    def weights(self) -> np.ndarray:
        """Probabilities of the components, float64 [K], with the sum 1."""
        shares = np.ones(len(self.means)) if self.shares is None else np.array(self.shares, np.float64)
        return shares / shares.sum()

    def sample(self, key: Array, count: int) -> Array:
        """Independent draws, float32 [count, D]; draw i is a function of (key, i) alone."""
        means, stds = jnp.array(self.means, jnp.float32), jnp.array(self.stds, jnp.float32)
        log_weights = jnp.array(np.log(self.weights), jnp.float32)

        def draw(key: Array) -> Array:
            which, where = jax.random.split(key)
            mode = jax.random.categorical(which, log_weights)
            return means[mode] + stds[mode] * jax.random.normal(where, (self.dimension,), jnp.float32)

        return jax.vmap(draw)(example_keys(key, count))

    def log_prob(self, x: Array) -> Array:
        """ln p(x) in nats, [..., D] -> [...]; the log of a sum of exponentials, so that nothing underflows.

        Raises:
            ValueError: the last axis is not D.
        """
        x = check_points(x, self.dimension)
        stds = np.array(self.stds)
        constants = np.log(self.weights) - self.dimension * (np.log(stds) + 0.5 * math.log(2 * math.pi))
        scaled = (x[..., None, :] - jnp.array(self.means, x.dtype)) / jnp.array(stds[:, None], x.dtype)
        logs = jnp.array(constants, x.dtype) - 0.5 * jnp.sum(scaled**2, axis=-1)
        return jax.scipy.special.logsumexp(logs, axis=-1)

    def mode_of(self, points: np.ndarray) -> np.ndarray:
        """The component whose centre is nearest in units of its std, [N, D] -> int64 [N]; -1 beyond NEAR."""
        points = np.asarray(points, np.float64)
        if points.ndim != 2 or points.shape[1] != self.dimension:
            raise ValueError(f"expected points [N, {self.dimension}], got {list(points.shape)}")
        means, stds = np.array(self.means), np.array(self.stds)
        modes = np.empty(len(points), np.int64)
        for start in range(0, len(points), _CHUNK):
            part = points[start : start + _CHUNK]
            squares = sum((part[:, None, d] - means[:, d]) ** 2 for d in range(self.dimension))
            distance = np.sqrt(squares) / stds
            nearest = distance.argmin(axis=1)
            near = np.take_along_axis(distance, nearest[:, None], axis=1)[:, 0] <= NEAR  # a NaN is not
            modes[start : start + _CHUNK] = np.where(near, nearest, -1)
        return modes


def check_points(x: Array, dimension: int) -> Array:
    """Points [..., D] as a floating array; integers become float32."""
    x = jnp.asarray(x)
    if x.ndim < 1 or x.shape[-1] != dimension:
        raise ValueError(f"expected points [..., {dimension}], got {list(x.shape)}")
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.float32)


def gaussian(mean: float = 0.0, std: float = 1.0) -> Mixture:
    """N(mean, std^2) on the line."""
    return Mixture(((check_number(mean, "mean"),),), (check_range(std, "std", low=SMALLEST),))


def mixture(
    means: Sequence[float] = (-1.5, 1.5),
    stds: Sequence[float] = (0.4, 0.4),
    weights: Sequence[float] | None = None,
) -> Mixture:
    """Gaussians on the line: by default two equal ones that hardly overlap (a choice of this library).

    Args:
        means: centres [K].
        stds: standard deviations [K].
        weights: how likely they are [K], in any unit; None: equally.
    """
    shares = None if weights is None else _numbers(weights, "weights")
    return Mixture(tuple((mean,) for mean in _numbers(means, "means")), _numbers(stds, "stds"), shares)


def ring(modes: int = 8, radius: float = 2.0, std: float = 0.02) -> Mixture:
    """Equal Gaussians, evenly spaced on a circle; mode 0 is at (radius, 0), the others follow anticlockwise.

    The defaults are those of Unrolled GAN (Metz et al. 2016, arXiv:1611.02163, appendix). VEEGAN and PacGAN
    take radius 1 and std 0.01.
    """
    check_count(modes, "modes")
    radius, std = check_range(radius, "radius"), check_range(std, "std", low=SMALLEST)
    angles = 2 * np.pi * np.arange(modes) / modes
    means = tuple((radius * math.cos(angle), radius * math.sin(angle)) for angle in angles)
    return Mixture(means, (std,) * modes)


def grid(side: int = 5, spacing: float = 2.0, std: float = 0.05) -> Mixture:
    """side x side equal Gaussians on a square lattice around 0; mode `side * i + j` is in column i, row j.

    The defaults are the 25 at {-4, -2, 0, 2, 4}^2 of VEEGAN (Srivastava et al. 2017, arXiv:1705.07761) and
    PacGAN (Lin et al. 2017, arXiv:1712.04086, section 4.1).
    """
    check_count(side, "side")
    spacing, std = check_range(spacing, "spacing"), check_range(std, "std", low=SMALLEST)
    places = [spacing * (i - (side - 1) / 2) for i in range(side)]
    return Mixture(tuple((x, y) for x in places for y in places), (std,) * side**2)


def _numbers(values: object, field: str) -> tuple[float, ...]:
    """A sequence of numbers as floats."""
    if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray):
        raise ValueError(f"{field}={values!r}: it must be a tuple of numbers")
    return tuple(check_number(value, field) for value in values)
