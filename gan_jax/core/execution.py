"""How a run is computed, not what it computes: the fields of `config.execution`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from gan_jax.utils.checks import check_count

Precision = Literal["float32", "bfloat16"]
Sharding = Literal["replicated", "sharded"]


@dataclass(frozen=True)
class Execution:
    """The fields of `config.execution`.

    All but `precision` give the same numbers, within rounding, and may differ when a run is continued.

    Attributes:
        precision: of the networks' inner arithmetic; parameters, statistics, losses and optimizers are
            float32 in any case.
        accumulation: parts into which each mini-batch is cut; their gradients are taken one after the other
            and averaged, so that memory is needed for one part only.
        remat: keep only the outputs of the networks' blocks for the backward pass and compute the
            rest again (Chen et al. 2016, arXiv:1604.06174).
        sharding: "replicated": every device holds the whole state. "sharded": parameters, averages and
            optimizer states are split over the devices (Rajbhandari et al. 2020, arXiv:1910.02054).
    """

    precision: Precision = "float32"
    accumulation: int = 1
    remat: bool = False
    sharding: Sharding = "replicated"

    def __post_init__(self) -> None:
        check_count(self.accumulation, "accumulation")
        for name, choices in (("precision", get_args(Precision)), ("sharding", get_args(Sharding))):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}={getattr(self, name)!r} is not one of {', '.join(choices)}")
        if not isinstance(self.remat, bool):
            raise ValueError(f"remat={self.remat!r}: it must be True or False")
