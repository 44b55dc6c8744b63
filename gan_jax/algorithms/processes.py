"""What noise does to examples in a diffusion model, and what its network sees and answers.

Both processes here are written in the variables of Karras et al. 2022, "Elucidating the design space of
diffusion-based generative models" (EDM), arXiv:2206.00364, equation 7 and table 1: a noisy example is
x + sigma n with n standard normal, and the clean one is guessed as

    skip(sigma) (x + sigma n) + out(sigma) network(in(sigma) (x + sigma n), time(sigma)).

Both papers' losses are then the mean square of what the network answers minus what it should: DDPM's simple
loss is that of the noise (its equation 14), and EDM's weight of the squared error is 1 / out^2 (its
equation 8).
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.utils.checks import FLOAT32_MAX, check_count, check_number, check_range
from gan_jax.utils.tables import Table

Array = jax.Array


class Scales(NamedTuple):
    """How a network's input and output are scaled at a noise level; each has the level's shape."""

    skip: Array
    out: Array
    input: Array
    time: Array  # what the network is told of the level


class Process(ABC):
    """The noise levels sigma that a network is trained at, and its scales at each.

    Attributes:
        least, most: the levels between which examples are made.
    """

    least: float
    most: float

    @abstractmethod
    def draw(self, key: Array) -> Array:
        """A level of training, float32 []."""

    @abstractmethod
    def levels(self, steps: int) -> np.ndarray:
        """The levels of `steps` steps from noise to examples, float64 [steps + 1]; they fall, the last is 0.

        Raises:
            ValueError: there are not so many.
        """

    @abstractmethod
    def scales(self, sigma: Array) -> Scales:
        """The network's scales at levels of any shape."""

    def target(self, clean: Array, noise: Array, sigma: Array) -> Array:
        """What the network should answer for clean + sigma noise; all of one shape, or broadcast to it."""
        scales = self.scales(sigma)
        return ((1.0 - scales.skip) * clean - scales.skip * sigma * noise) / scales.out


@dataclass(frozen=True)
class DDPM(Process):
    """Denoising diffusion (Ho et al. 2020, arXiv:2006.11239): the network guesses the noise.

    At time t the paper's variable is sqrt(a) x + sqrt(1 - a) n, with a the product of 1 - beta up to t, so
    sigma^2 = (1 - a) / a; the network sees the paper's variable, and t from 0.

    Attributes:
        noise_steps: T. The betas are not rescaled with it: with the defaults and 100 steps sigma ends at 1.3,
            and noise never covers the examples.
        first_beta, last_beta: beta grows between them in equal steps.
    """

    noise_steps: int = 1000
    first_beta: float = 1e-4
    last_beta: float = 2e-2

    def __post_init__(self) -> None:
        check_count(self.noise_steps, "noise_steps")
        for name in ("first_beta", "last_beta"):
            if not 0.0 < check_number(getattr(self, name), name) < 1.0:
                raise ValueError(f"{name}={getattr(self, name)!r}: it must be in (0, 1)")
        if not self.most < FLOAT32_MAX**0.5:
            raise ValueError(
                f"noise_steps={self.noise_steps} with beta from {self.first_beta:g} to {self.last_beta:g} "
                f"makes noise of sigma={self.most:.3g}, whose square no float32 holds: take fewer steps or "
                "smaller betas"
            )

    @functools.cached_property
    def sigmas(self) -> np.ndarray:
        """The level at each time, float64 [T]; they rise."""
        kept = np.cumprod(1.0 - np.linspace(self.first_beta, self.last_beta, self.noise_steps))
        with np.errstate(divide="ignore", over="ignore"):  # infinite ones are refused
            return np.sqrt((1.0 - kept) / kept)

    @property
    def least(self) -> float:  # type: ignore[override]
        return float(self.sigmas[0])

    @property
    def most(self) -> float:  # type: ignore[override]
        return float(self.sigmas[-1])

    def draw(self, key: Array) -> Array:
        """That of a time, all alike likely."""
        time = jax.random.randint(key, (), 0, self.noise_steps)
        return jnp.asarray(self.sigmas, jnp.float32)[time]

    def levels(self, steps: int) -> np.ndarray:
        """Of times in equal distances from the last to the first, rounded to whole ones."""
        check_count(steps, "steps")
        if steps > self.noise_steps:
            raise ValueError(f"steps={steps}: the process ddpm has noise_steps={self.noise_steps} at most")
        times = np.rint(np.linspace(self.noise_steps - 1, 0, steps)).astype(int)
        return np.append(self.sigmas[times], 0.0)

    def scales(self, sigma: Array) -> Scales:
        """Between two times the time is interpolated, along the level's logarithm."""
        known = jnp.asarray(np.log(self.sigmas), jnp.float32)
        time = jnp.interp(jnp.log(sigma), known, jnp.arange(self.noise_steps, dtype=jnp.float32))
        return Scales(jnp.ones_like(sigma), -sigma, jax.lax.rsqrt(1.0 + sigma**2), time)


@dataclass(frozen=True)
class EDM(Process):
    """Karras et al. 2022, arXiv:2206.00364, table 1, last column: a network whose input and target have unit
    variance at every level.

    Attributes:
        data_std: of an element of the examples; 0.5 is the paper's for images in [-1, 1].
        mean, std: of the normal distribution of ln sigma in training.
        least, most: sigma of the last step but one, and of the first, where examples are made.
        rho: how the levels between are spread, see `spread`; the sampler heun has its own.
    """

    data_std: float = 0.5
    mean: float = -1.2
    std: float = 1.2
    least: float = 0.002
    most: float = 80.0
    rho: float = 7.0

    def __post_init__(self) -> None:
        check_number(self.mean, "mean")
        for name in ("data_std", "std", "least", "most", "rho"):
            if check_range(getattr(self, name), name) == 0.0:
                raise ValueError(f"{name}={getattr(self, name)!r}: it must be positive")
        if self.least >= self.most:
            raise ValueError(f"least={self.least!r}: it must be below most={self.most!r}")

    def draw(self, key: Array) -> Array:
        """exp of a normal number."""
        return jnp.exp(self.mean + self.std * jax.random.normal(key))

    def levels(self, steps: int) -> np.ndarray:
        """As `spread` has them."""
        return spread(self.least, self.most, steps, self.rho)

    def scales(self, sigma: Array) -> Scales:
        """The time is ln(sigma) / 4."""
        total = sigma**2 + self.data_std**2
        root = jax.lax.rsqrt(total)
        return Scales(self.data_std**2 / total, sigma * self.data_std * root, root, jnp.log(sigma) / 4)


def spread(least: float, most: float, steps: int, rho: float = 7.0) -> np.ndarray:
    """Levels from `most` to `least` in equal distances of their rho-th roots, then 0: float64 [steps + 1].

    arXiv:2206.00364, equation 5. One step goes from `most` to 0.
    """
    check_count(steps, "steps")
    roots = np.linspace(most ** (1 / rho), least ** (1 / rho), steps)
    return np.append(roots**rho, 0.0)


PROCESSES: Table[Callable[..., Process]] = Table("process", {"ddpm": DDPM, "edm": EDM})
