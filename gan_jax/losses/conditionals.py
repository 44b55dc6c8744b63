"""What a network says of one place of an image, given those before it: a distribution over its values."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from gan_jax.losses import mixtures

Array = jax.Array


class Conditional(ABC):
    """A distribution over the values of a place, [..., C], of numbers that a network says, [..., outputs]."""

    @abstractmethod
    def dimensions(self, shape: tuple[int, ...]) -> int:
        """Values of an example [H, W, C], over which its bits are shared out."""

    @abstractmethod
    def log_prob(self, said: Array, values: Array) -> Array:
        """ln p of values [..., C], [...]."""

    @abstractmethod
    def noise(self, key: Array, shape: tuple[int, ...]) -> tuple[Array, ...]:
        """What `draw` needs for so many places, each [*shape, n]."""

    @abstractmethod
    def draw(self, said: Array, *noise: Array) -> Array:
        """Values [..., C]."""


@dataclass(frozen=True)
class LogisticMixture(Conditional):
    """Of pixels with 256 levels in [-1, 1]; see `losses.mixtures`.

    Attributes:
        components: of the mixture.
        channels: C.
    """

    components: int
    channels: int

    def dimensions(self, shape: tuple[int, ...]) -> int:
        return math.prod(shape)

    def log_prob(self, said: Array, values: Array) -> Array:
        return mixtures.log_prob(mixtures.mixture(said, self.components, self.channels), values)

    def noise(self, key: Array, shape: tuple[int, ...]) -> tuple[Array, ...]:
        return mixtures.noise(key, shape, self.components, self.channels)

    def draw(self, said: Array, *noise: Array) -> Array:
        return mixtures.draw(mixtures.mixture(said, self.components, self.channels), *noise)


@dataclass(frozen=True)
class Categorical(Conditional):
    """Of places that hold one of several kinds, one-hot [..., kinds]; the numbers are their logits.

    Attributes:
        kinds: how many.
    """

    kinds: int

    def dimensions(self, shape: tuple[int, ...]) -> int:
        """Places: H W."""
        return math.prod(shape[:-1])

    def log_prob(self, said: Array, values: Array) -> Array:
        return jnp.sum(jax.nn.log_softmax(said) * values, axis=-1)

    def noise(self, key: Array, shape: tuple[int, ...]) -> tuple[Array, ...]:
        return (jax.random.gumbel(key, (*shape, self.kinds)),)

    def draw(self, said: Array, *noise: Array) -> Array:
        """The largest of logits with Gumbel noise has their probabilities."""
        return jax.nn.one_hot(jnp.argmax(said + noise[0], axis=-1), self.kinds, dtype=said.dtype)
