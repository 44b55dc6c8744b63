"""Interface of the distributions with a known density."""

from __future__ import annotations

from typing import Protocol

import jax
import numpy as np

Array = jax.Array

NEAR = 3.0  # standard deviations: a sample that is farther from every mode belongs to none


class Density(Protocol):
    """A distribution over R^D of which everything is known. Implementations are frozen dataclasses."""

    def __hash__(self) -> int: ...

    @property
    def dimension(self) -> int:
        """D."""

    @property
    def weights(self) -> np.ndarray:
        """Probabilities of the modes, float64 [K], K >= 1, with the sum 1."""

    def sample(self, key: Array, count: int) -> Array:
        """Independent draws, float32 [count, D]; draw i is a function of (key, i) alone."""

    def log_prob(self, x: Array) -> Array:
        """ln p(x) in nats, [..., D] -> [...].

        Raises:
            ValueError: the distribution lies on a set of measure zero and has no density.
        """

    def mode_of(self, points: np.ndarray) -> np.ndarray:
        """The mode that each point belongs to, [N, D] -> int64 [N], 0 to K - 1.

        -1 for a point that is more than NEAR standard deviations from all of them ("high-quality samples" are
        the others: Srivastava et al. 2017, arXiv:1705.07761, section 4.1).
        """
