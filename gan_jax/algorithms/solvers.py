"""How a diffusion model makes examples of noise, from any denoiser.

A denoiser says which clean example is expected behind x = clean + sigma noise: D(x, sigma). All samplers go
down a process's noise levels with it, in the variables of `algorithms.processes`:

- "ancestral": Ho et al. 2020, arXiv:2006.11239, algorithm 2, with the variance of its posterior (equation 7,
  the code's "fixedsmall"; it has the other one for CIFAR-10, which needs all 1000 steps);
- "ddim": Song et al. 2021, arXiv:2010.02502, equation 12, deterministic with eta 0, ancestral with 1;
- "heun": Karras et al. 2022, arXiv:2206.00364, algorithm 1: the probability-flow equation
  dx / dsigma = (x - D) / sigma, in steps of second order. Without the stochastic steps of its algorithm 2,
  which the paper's own best results on CIFAR-10 do without too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.algorithms.processes import Process, spread
from gan_jax.utils.checks import check_count, check_number, check_range
from gan_jax.utils.tables import Table

Array = jax.Array
Denoiser = Callable[[Array, Array], Array]  # (x [B, ...], sigma float32 []) -> the clean examples [B, ...]
Noise = Callable[[Array], Array]  # a number, int32 [] -> standard normal numbers [B, ...], others for each


@dataclass(frozen=True, kw_only=True)
class Sampler(ABC):
    """Makes examples in a number of steps.

    Attributes:
        steps: from noise to examples.
        guidance: weight w of what the network says for the label against what it says without one, D_none +
            w (D_label - D_none) (Ho and Salimans 2022, arXiv:2207.12598, in the form in which 1 is none):
            more than 1 gives fewer and more typical examples, and two evaluations for one.
        clips: whether the clean examples that are guessed on the way are clipped to [-1, 1], where the data
            are bounded so.
    """

    name: ClassVar[str]
    clips: ClassVar[bool]

    steps: int
    guidance: float = 1.0

    def __post_init__(self) -> None:
        check_count(self.steps, "steps")
        check_number(self.guidance, "guidance")

    @property
    @abstractmethod
    def evaluations(self) -> int:
        """How often the denoiser is asked for one example."""

    @abstractmethod
    def levels(self, process: Process) -> np.ndarray:
        """The noise levels, float64 [steps + 1], which fall to 0."""

    @abstractmethod
    def solve(self, denoise: Denoiser, noise: Noise, process: Process) -> Array:
        """Examples [B, ...] of the noise number 0, and further numbers where the sampler draws on its way."""

    def described(self) -> str:
        """The sampler in words, for the protocol of a score."""
        guided = "" if self.guidance == 1.0 else f", guidance {self.guidance:g}"
        return f"{self.name}, {self.steps} steps{guided}"


@dataclass(frozen=True, kw_only=True)
class _Posterior(Sampler):
    """Steps to the next level with a share `eta` of the noise that ancestral sampling adds there.

    With eta 0 this is Euler's method for the probability-flow equation in sigma.
    """

    clips = True
    eta: ClassVar[float]

    @property
    def evaluations(self) -> int:
        return self.steps

    def levels(self, process: Process) -> np.ndarray:
        """The process's."""
        return process.levels(self.steps)

    def solve(self, denoise: Denoiser, noise: Noise, process: Process) -> Array:
        levels = self.levels(process)
        here, after = levels[:-1], levels[1:]
        # eta times the std of the next level, given this one and the clean example.
        added = self.eta * after * np.sqrt(1.0 - (after / here) ** 2)
        kept = np.sqrt(after**2 - added**2) / here

        def step(x: Array, item: tuple[Array, ...]) -> tuple[Array, None]:
            number, sigma, kept, added = item
            clean = denoise(x, sigma)
            x = clean + kept * (x - clean)
            return (x + added * noise(number) if self.eta else x), None

        numbers = jnp.arange(1, self.steps + 1)
        items = (numbers, *(jnp.asarray(values, jnp.float32) for values in (here, kept, added)))
        return jax.lax.scan(step, jnp.float32(levels[0]) * noise(jnp.int32(0)), items)[0]


@dataclass(frozen=True, kw_only=True)
class Ancestral(_Posterior):
    """DDPM's sampling: each step draws the next level, given this one and the clean example."""

    name = "ancestral"
    eta = 1.0

    steps: int = 1000


@dataclass(frozen=True, kw_only=True)
class DDIM(_Posterior):
    """From deterministic sampling in few steps to DDPM's.

    Attributes:
        eta: 0 is deterministic, 1 ancestral.
    """

    name = "ddim"

    steps: int = 50
    eta: float = 0.0  # type: ignore[misc]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self.eta, "eta", 0.0, 1.0)

    def described(self) -> str:
        return f"{super().described()}, eta {self.eta:g}"


@dataclass(frozen=True, kw_only=True)
class Heun(Sampler):
    """Heun's steps: the slope is the mean of that here and of that where Euler's step would end.

    The last step, to 0, is Euler's, as there is no slope: 2 steps - 1 evaluations.

    Attributes:
        rho: how the levels lie between the process's most and least, see `processes.spread`.
    """

    name = "heun"
    clips = False  # which would bend the slope

    steps: int = 18
    rho: float = 7.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if check_range(self.rho, "rho") == 0.0:
            raise ValueError(f"rho={self.rho!r}: it must be positive")

    @property
    def evaluations(self) -> int:
        return 2 * self.steps - 1

    def levels(self, process: Process) -> np.ndarray:
        """From the most to the least of the process, whatever its own way between is."""
        return spread(process.least, process.most, self.steps, self.rho)

    def solve(self, denoise: Denoiser, noise: Noise, process: Process) -> Array:
        levels = jnp.asarray(self.levels(process), jnp.float32)

        def step(x: Array, item: tuple[Array, Array]) -> tuple[Array, None]:
            sigma, after = item
            slope = (x - denoise(x, sigma)) / sigma
            ahead = x + (after - sigma) * slope
            ahead_slope = (ahead - denoise(ahead, after)) / after
            return x + (after - sigma) * (slope + ahead_slope) / 2, None

        x, _ = jax.lax.scan(step, levels[0] * noise(jnp.int32(0)), (levels[:-2], levels[1:-1]))
        return denoise(x, levels[-2])


SAMPLERS: Table[Callable[..., Sampler]] = Table(
    "sampler", {"ancestral": Ancestral, "ddim": DDIM, "heun": Heun}
)
