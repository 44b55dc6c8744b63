"""Another sampler for a diffusion model than its config's, with all that can be wrong said before anything is
drawn."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

from gan_jax.algorithms.diffusion import Diffusion
from gan_jax.algorithms.solvers import SAMPLERS
from gan_jax.core.algorithm import Algorithm
from gan_jax.utils.errors import UserError


class SamplerChoice(NamedTuple):
    """What is asked of a sampler; None leaves what the config says.

    Attributes:
        solver: a name in `algorithms.solvers.SAMPLERS`.
        steps: from noise to examples; by default those of another solver are its own.
        guidance: see `algorithms.solvers.Sampler`.
    """

    solver: str | None = None
    steps: int | None = None
    guidance: float | None = None


AS_CONFIGURED = SamplerChoice()


def with_sampler(algorithm: Algorithm, choice: SamplerChoice) -> Algorithm:
    """The algorithm that samples as it is asked to.

    Raises:
        UserError: it is no diffusion model, or cannot sample so.
    """
    if choice == AS_CONFIGURED:
        return algorithm
    flags = " ".join(f"--{name}={value}" for name, value in choice._asdict().items() if value is not None)
    if not isinstance(algorithm, Diffusion):
        raise UserError(
            f"{flags}: only diffusion models make their examples in steps, and this run's method is "
            f"{type(algorithm).__name__}; leave it out"
        )
    fields: dict[str, Any] = {
        name: value for name, value in choice._asdict().items() if name != "solver" and value is not None
    }
    sampler, own = algorithm.sampler, SAMPLERS.get(choice.solver or "")
    if choice.solver is not None and own is None:
        raise UserError(f"--solver={choice.solver}: it is not one of {', '.join(sorted(SAMPLERS))}")
    try:
        if own is None or own is type(sampler):
            sampler = dataclasses.replace(sampler, **fields)
        else:
            sampler = own(**{"guidance": sampler.guidance, **fields})
        return dataclasses.replace(algorithm, sampler=sampler)
    except ValueError as error:
        raise UserError(f"{flags}: {error}") from error
