"""What a made picture pays for not being the true one: the terms of a translator's loss beside the adversary.

Those that look through a pretrained network are in `feature_networks.perceptual`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from gan_jax.optim.schedules import Schedule, as_schedule
from gan_jax.utils.tree import PyTree

Array = jax.Array


class ContentInputs(NamedTuple):
    """What a content may look at.

    Attributes:
        made: pictures that the generator made, [B, H, W, C] about [-1, 1].
        real: the true ones.
        frozen: the pretrained constants of all contents, by name.
        step: the train step, an int32 scalar.
    """

    made: Array
    real: Array
    frozen: dict[str, PyTree]
    step: Array


@dataclass(frozen=True, kw_only=True)
class Content:
    """A weighted term of the generator's loss, a mean over examples.

    Attributes:
        weight: a number or a schedule of the train step, at least 0; a schedule once constructed.
        name: its key in its table and in the metrics.
        of_pixels: whether the values must be those of pixels, as for a network that knows no others.
    """

    weight: float | Schedule
    name: ClassVar[str]
    of_pixels: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", as_schedule(self.weight, "weight"))

    def load(self) -> dict[str, PyTree]:
        """Pretrained constants by name, NumPy arrays; contents that share some give them the same name."""
        return {}

    def __call__(self, inputs: ContentInputs) -> Array:
        """The term without its weight, a scalar (a local mean)."""
        raise NotImplementedError(f"{type(self).__name__} must define `__call__`")


@dataclass(frozen=True, kw_only=True)
class L1(Content):
    """E|made - real|, per value in [-1, 1]. Isola et al. 2017, arXiv:1611.07004, equation 3."""

    name = "l1"

    def __call__(self, inputs: ContentInputs) -> Array:
        return jnp.mean(jnp.abs(inputs.made - inputs.real))


@dataclass(frozen=True, kw_only=True)
class MeanSquare(Content):
    """E(made - real)^2, per value in [-1, 1]. Ledig et al. 2017, arXiv:1609.04802, equation 4."""

    name = "mse"

    def __call__(self, inputs: ContentInputs) -> Array:
        return jnp.mean((inputs.made - inputs.real) ** 2)


@dataclass(frozen=True, kw_only=True)
class TotalVariation(Content):
    """The mean square of the differences of neighbours, down and to the right, whatever the true picture is.

    Johnson et al. 2016, arXiv:1603.08155, section 3.2.
    """

    name = "tv"

    def __call__(self, inputs: ContentInputs) -> Array:
        down = inputs.made[:, 1:] - inputs.made[:, :-1]
        right = inputs.made[:, :, 1:] - inputs.made[:, :, :-1]
        return jnp.mean(down**2) + jnp.mean(right**2)
