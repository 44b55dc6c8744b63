"""What every penalty is: a weighted term of a player's loss, at every step or at every so many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax

from gan_jax.optim.schedules import Schedule, as_schedule
from gan_jax.utils.checks import check_count
from gan_jax.utils.tree import PyTree

Array = jax.Array


@dataclass(frozen=True, kw_only=True)
class Term:
    """A term of a player's loss.

    Attributes:
        weight: a number or a schedule of the train step, at least 0; a schedule once constructed.
        every: of how many steps the term acts in one; 1 is eager, more is lazy.
        name: its key in its table, in the metrics and in the state's `extra`.
        of_batch: what it takes of the batch as a whole, in words; "" where it is a mean over examples.
    """

    weight: float | Schedule
    every: int = 1

    name: ClassVar[str]
    of_batch: ClassVar[str] = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", as_schedule(self.weight, "weight"))
        check_count(self.every, "every")

    def init(self) -> PyTree:
        """The state before the first step, the same on all devices; {} if there is none."""
        return {}

    def __call__(self, inputs: Any, memory: PyTree, step: Array) -> tuple[Array, PyTree]:
        """The term without its weight, a scalar (a local mean).

        Args:
            inputs: what the term may look at.
            memory: what `init` or the last call returned.
            step: int32 [], completed train steps.

        Returns:
            the scalar; the new memory.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `__call__`")
