"""Likelihoods of examples whose mean and scale a network says, and bits per dimension.

Pixels are numbers of 256 levels, 2/255 apart in [-1, 1]. A discrete likelihood gives each level a
probability. A density is of pixels with uniform noise as wide as a level (`dequantise`; Theis et al. 2016, "A
note on the evaluation of generative models", arXiv:1511.01844, section 3.1): its mean log-density plus the
logarithm of a level's volume is a lower bound of the log-probability of the levels, so that bits per
dimension of both kinds mean the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import jax
import jax.numpy as jnp

from gan_jax.utils.tables import Table

Array = jax.Array

LEVEL = 2 / 255  # between two neighbouring levels of a pixel
LEAST_LOG_SCALE = -7.0  # of a logistic: narrower than a level by far
_EDGE = 1 - LEVEL / 2  # beyond it a value is the first or the last level


class Likelihood(Protocol):
    """What is said of an example's values.

    Attributes:
        discrete: whether it gives probabilities of the levels of pixels, or a density of any values.
    """

    discrete: ClassVar[bool]

    def log_prob(self, values: Array, mean: Array, log_scale: Array) -> Array:
        """ln p(values) of each value, in the shape of all three together."""

    def draw(self, key: Array, mean: Array, log_scale: Array) -> Array:
        """Values of this likelihood, in the shape of the mean."""


@dataclass(frozen=True)
class Gaussian:
    """Normal values: the scale is the standard deviation."""

    discrete: ClassVar[bool] = False

    def log_prob(self, values: Array, mean: Array, log_scale: Array) -> Array:
        """The log-density."""
        standard = (values - mean) * jnp.exp(-log_scale)
        return -0.5 * (standard**2 + math.log(2 * math.pi)) - log_scale

    def draw(self, key: Array, mean: Array, log_scale: Array) -> Array:
        """mean + scale * normal."""
        return mean + jnp.exp(log_scale) * jax.random.normal(key, mean.shape)


@dataclass(frozen=True)
class DiscretisedLogistic:
    """Levels of pixels: the share of a logistic distribution that is nearest to each.

    Kingma et al. 2016, "Improved variational inference with inverse autoregressive flow", arXiv:1606.04934,
    section 5.1; Salimans et al. 2017, "PixelCNN++", arXiv:1701.05517, equation 2. All that lies beyond black
    is black and beyond white white.
    """

    discrete: ClassVar[bool] = True

    def log_prob(self, values: Array, mean: Array, log_scale: Array) -> Array:
        """The log-probability of the levels, values in [-1, 1]; with sigmoid s it is ln(s(a) - s(b)).

        As ln s(a) + ln(1 - s(b)) + ln(1 - exp(b - a)), of which nothing is lost however far the mean is.
        """
        log_scale = jnp.maximum(log_scale, LEAST_LOG_SCALE)
        sharpness, distance = jnp.exp(-log_scale), values - mean
        below_end = jax.nn.log_sigmoid(sharpness * (distance + LEVEL / 2))
        above_start = jax.nn.log_sigmoid(-sharpness * (distance - LEVEL / 2))
        inside = below_end + above_start + jnp.log(-jnp.expm1(-sharpness * LEVEL))
        return jnp.where(values < -_EDGE, below_end, jnp.where(values > _EDGE, above_start, inside))

    def draw(self, key: Array, mean: Array, log_scale: Array) -> Array:
        """One of the 256 levels."""
        noise = jax.random.logistic(key, mean.shape)
        return to_level(mean + jnp.exp(jnp.maximum(log_scale, LEAST_LOG_SCALE)) * noise)


def to_level(values: Array) -> Array:
    """The nearest of the 256 levels, in [-1, 1]."""
    levels = jnp.round((jnp.clip(values, -1.0, 1.0) + 1) * 127.5)
    return jnp.clip(levels / 127.5 - 1, -1.0, 1.0)  # a compiler may multiply by 1 / 127.5, which rounds up


def dequantise(values: Array, keys: Array) -> Array:
    """Pixels [B, ...] with uniform noise as wide as a level, drawn with a key [B] for each example."""
    noise = jax.vmap(lambda key: jax.random.uniform(key, values.shape[1:], minval=-0.5, maxval=0.5))(keys)
    return values + LEVEL * noise


def bits_per_dim(log_prob: Array, dimensions: int, dequantised: bool) -> Array:
    """-log2 p / D of examples.

    Args:
        log_prob: ln p of examples, [B]: of levels, or a density.
        dimensions: D, values of an example.
        dequantised: whether it is a density of dequantised pixels: bits of the levels are wanted then, of
            which the volume is LEVEL**D.
    """
    bits = -log_prob / (dimensions * math.log(2))
    return bits - math.log2(LEVEL) if dequantised else bits


LIKELIHOODS: Table[type[Likelihood]] = Table(
    "likelihood", {"gaussian": Gaussian, "discretised_logistic": DiscretisedLogistic}
)
