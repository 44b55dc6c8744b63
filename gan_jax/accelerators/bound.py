"""How fast a step can be at best: the roofline, the launches and the exchange.

Williams, Waterman and Patterson 2009, "Roofline", doi:10.1145/1498765.1498785. What is published and what is
assumed is in `chips`.
"""

from __future__ import annotations

from dataclasses import dataclass

from gan_jax.accelerators.chips import Chip
from gan_jax.accelerators.hlo import Collective
from gan_jax.accelerators.measure import Measured
from gan_jax.core.execution import Precision


@dataclass(frozen=True)
class Bound:
    """Seconds of a step that each of these takes at least, on one chip.

    Attributes:
        arithmetic: the operations at the peak of the matrix units.
        memory: the bytes at the peak of the memory.
        launches: the kernels, one after the other.
        exchange: the collectives, one after the other.
    """

    arithmetic: float
    memory: float
    launches: float
    exchange: float

    @property
    def step(self) -> float:
        """The largest of them: a step takes no less."""
        return max(self.arithmetic, self.memory, self.launches, self.exchange)

    @property
    def by(self) -> str:
        """What it is bound by."""
        named = {
            "arithmetic": self.arithmetic,
            "memory": self.memory,
            "launches": self.launches,
            "exchange": self.exchange,
        }
        return max(named, key=lambda name: named[name])


def bound(measured: Measured, flops: float, chip: Chip, chips: int, precision: Precision) -> Bound:
    """Of a step.

    Args:
        flops: of a step, of all chips together.
    """
    launched = measured.launches
    lone = 0 if launched is None else sum(launched.lone.values())
    captured = measured.kernels - min(lone, measured.kernels)
    return Bound(
        arithmetic=flops / chips / (chip.bf16 if precision == "bfloat16" else chip.f32),
        memory=measured.moved / chip.memory_bandwidth,
        launches=captured * chip.overhead + lone * chip.lone_overhead,
        exchange=sum(_seconds(one, chip, chips) * one.times for one in measured.collectives),
    )


def _seconds(one: Collective, chip: Chip, chips: int) -> float:
    """A ring's time (Patarasuk and Yuan 2009, doi:10.1016/j.jpdc.2008.09.002)."""
    # An all-reduce moves each byte twice.
    rounds = 2 if one.kind == "all-reduce" else 1
    return chip.latency + rounds * (chips - 1) / chips * one.bytes / chip.links
