"""Schedules over training: of learning rates, weights of penalties, decays.

A schedule maps the number of completed train steps (`TrainState.step`) to a value. Those made here know their
least and greatest value, which are checked as numbers are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.utils.checks import check_count, check_number
from gan_jax.utils.tables import Table

Array = jax.Array
Schedule = Callable[[Array], Array]  # step int32 [] -> float32 []


@dataclass(frozen=True)
class Constant:
    """The same value at every step; the optimizers read `value`, which XLA can then fold."""

    value: float

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value."""
        return self.value, self.value

    def __call__(self, step: Array) -> Array:
        return jnp.full(jnp.shape(step), self.value, jnp.float32)


@dataclass(frozen=True)
class Ramp:
    """`start` until step `delay`, `end` from step `delay + steps`, and monotone in between.

    Attributes:
        path: (start, end, share in [0, 1] of `steps` that has passed) -> value.
    """

    start: float
    end: float
    steps: int
    delay: int
    path: Callable[[float, float, Array], Array]

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value."""
        return min(self.start, self.end), max(self.start, self.end)

    def __call__(self, step: Array) -> Array:
        share = (jnp.asarray(step) - self.delay) / jnp.float32(self.steps)
        value = self.path(self.start, self.end, jnp.clip(share, 0.0, 1.0))
        # Exact at both ends, whatever the rounding in between.
        value = jnp.clip(value, *map(jnp.float32, self.bounds))
        return jnp.where(share <= 0.0, jnp.float32(self.start), jnp.where(share >= 1.0, self.end, value))


def constant(value: float) -> Constant:
    """`value` at every step.

    Raises:
        ValueError: it is not a finite number.
    """
    return Constant(check_number(value, "value"))


def linear(start: float, end: float, steps: int, delay: int = 0) -> Ramp:
    """A straight line from `start` to `end`.

    Args:
        start: the value up to step `delay`.
        end: the value from step `delay + steps`.
        steps: train steps from `start` to `end`, at least 1.
        delay: train steps before it begins.

    Raises:
        ValueError: `start` or `end` is not finite, `steps` no positive or `delay` no natural number.
    """
    return _ramp(start, end, steps, delay, _line)


def cosine(start: float, end: float, steps: int, delay: int = 0) -> Ramp:
    """Half a cosine from `start` to `end`: end + (start - end) (1 + cos(pi share)) / 2.

    Loshchilov and Hutter 2017, arXiv:1608.03983, equation 5, without restarts. Arguments as `linear`'s.
    """
    return _ramp(start, end, steps, delay, _half_cosine)


def exponential(start: float, end: float, steps: int, delay: int = 0) -> Ramp:
    """The same factor at every step: start (end / start)^share. Arguments as `linear`'s.

    Raises:
        ValueError: also if `start` or `end` is not positive.
    """
    for value, field in ((start, "start"), (end, "end")):
        if check_number(value, field) <= 0.0:
            raise ValueError(f"{field}={value!r}: a geometric schedule's ends must be positive")
    return _ramp(start, end, steps, delay, _geometric)


SCHEDULES: Table[Callable[..., Schedule]] = Table(
    "schedule",
    {
        "constant": constant,
        "linear": linear,
        "cosine": cosine,
        "exponential": exponential,
    },
)


def as_schedule(
    value: float | Schedule, field: str, low: float = 0.0, high: float = math.inf, *, below: bool = False
) -> Schedule:
    """A number as a constant schedule; a schedule as it is.

    Args:
        value: a number, or a schedule. The extremes of one made here are checked as a number is; of any
            other function nothing is known.
        field: what the error calls it.
        low: the least that it may be.
        high: the greatest.
        below: whether `high` itself is forbidden (in float32, where 1 - 1e-9 is 1).

    Raises:
        ValueError: it is neither, not finite, or leaves the range.
    """
    expected = f"[{low:g}, {high:g}{')' if below or high == math.inf else ']'}"
    if not callable(value):
        schedule: Schedule = Constant(check_number(value, field, "a finite number or a schedule"))
        given = f"{field}={value!r}"
    else:
        schedule = value
        given = f"{field}: its extremes are {getattr(value, 'bounds', ())}"
    for extreme in getattr(schedule, "bounds", ()):
        if extreme < low or extreme > high or (below and np.float32(extreme) >= high):
            raise ValueError(f"{given}: it must be in {expected} at every step")
    return schedule


def is_off(value: float | Schedule) -> bool:
    """Whether it is 0 at every step."""
    bounds = getattr(value, "bounds", None) if callable(value) else (value, value)
    return bounds == (0.0, 0.0)


def _ramp(
    start: float, end: float, steps: int, delay: int, path: Callable[[float, float, Array], Array]
) -> Ramp:
    check_count(steps, "steps")
    if delay != 0 or isinstance(delay, bool):
        check_count(delay, "delay")
    return Ramp(check_number(start, "start"), check_number(end, "end"), steps, delay, path)


def _line(start: float, end: float, share: Array) -> Array:
    return start * (1.0 - share) + end * share


def _half_cosine(start: float, end: float, share: Array) -> Array:
    # 1 - cos(x) = 2 sin(x / 2)^2 and 1 + cos(x) = 2 cos(x / 2)^2 lose no digits near the ends.
    half = share * (jnp.pi / 2)
    return start * jnp.cos(half) ** 2 + end * jnp.sin(half) ** 2


def _geometric(start: float, end: float, share: Array) -> Array:
    return start * (end / start) ** share
