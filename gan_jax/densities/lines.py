"""Example 1 of Wasserstein GAN (Arjovsky et al. 2017, arXiv:1701.07875): distributions on parallel lines."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.core.randomness import example_keys
from gan_jax.densities.density import NEAR
from gan_jax.densities.mixture import check_points
from gan_jax.utils.checks import check_number, check_range

Array = jax.Array

TOLERANCE = 1e-3  # a point this near to a line without noise counts as on it


@dataclass(frozen=True)
class Line:
    """(offset, y) with y uniform on [0, 1], plus N(0, noise^2 I). It has one mode.

    Attributes:
        offset: the line's x; the paper's theta.
        noise: standard deviation in both coordinates; 0: all lies on a segment and has no density.
    """

    offset: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        check_number(self.offset, "offset")
        check_range(self.noise, "noise")

    @property
    def dimension(self) -> int:
        """2."""
        return 2

    @property
    def weights(self) -> np.ndarray:
        """[1.0]."""
        return np.ones(1)

    def sample(self, key: Array, count: int) -> Array:
        """Independent draws, float32 [count, 2]; draw i is a function of (key, i) alone."""

        def draw(key: Array) -> Array:
            along, noise = jax.random.split(key)
            place = jnp.stack([jnp.float32(self.offset), jax.random.uniform(along, (), jnp.float32)])
            return place + jnp.float32(self.noise) * jax.random.normal(noise, (2,), jnp.float32)

        return jax.vmap(draw)(example_keys(key, count))

    def log_prob(self, x: Array) -> Array:
        """ln p(x) in nats, [..., 2] -> [...].

        p(x, y) = N(x; offset, noise^2) (Phi(y / noise) - Phi((y - 1) / noise)), Phi the normal distribution
        function. It is symmetric in y around 1/2, and computed in the lower half, where no difference of two
        numbers near 1 occurs.

        Raises:
            ValueError: noise is 0, so that there is no density; or the last axis is not 2.
        """
        if self.noise == 0.0:
            raise ValueError(
                "parallel_lines without noise lies on a line, a set of measure zero: it has no density; "
                "give it noise > 0"
            )
        x = check_points(x, 2)
        across = (x[..., 0] - self.offset) / self.noise
        y = 0.5 - jnp.abs(x[..., 1] - 0.5)
        upper, lower = (jax.scipy.special.log_ndtr(z / self.noise) for z in (y, y - 1.0))
        return (
            upper
            + jnp.log(-jnp.expm1(lower - upper))
            - 0.5 * across**2
            - math.log(self.noise * math.sqrt(2 * math.pi))
        )

    def mode_of(self, points: np.ndarray) -> np.ndarray:
        """0 for a point near the segment, [N, 2] -> int64 [N]; -1 for one beyond NEAR times the noise.

        Without noise TOLERANCE takes the place of NEAR times the noise.
        """
        points = np.asarray(points, np.float64)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"expected points [N, 2], got {list(points.shape)}")
        beyond = points[:, 1] - np.clip(points[:, 1], 0.0, 1.0)
        distance = np.hypot(points[:, 0] - self.offset, beyond)
        return np.where(distance <= (NEAR * self.noise or TOLERANCE), 0, -1)


def parallel_lines(offset: float = 0.0, noise: float = 0.0) -> Line:
    """The distribution on one line: example 1 compares offset 0 with offset theta.

    Their Jensen-Shannon divergence is ln 2 wherever theta is not 0, and their Wasserstein distance |theta|.
    """
    return Line(offset, noise)
