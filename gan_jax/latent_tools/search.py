"""A search in a latent space by CMA-ES (Hansen 2016, arXiv:1604.00772), of the package cma.

As in Volz et al. 2018 (arXiv:1805.00728): it starts at 0 with steps of 0.5, 14 points to a generation, and a
thousand evaluations. No gradient is asked for, so that what is wanted may count tiles.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gan_jax.utils.errors import UserError

POPULATION = 14
STEP = 0.5
EVALUATIONS = 1_000


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        latent: the best, float32 [L].
        distance: its distance from what was wanted.
        curve: after each generation the evaluations so far, the best distance in it, and the best of all so
            far, float64 [G, 3].
    """

    latent: np.ndarray
    distance: float
    curve: np.ndarray


def search(
    distance: Callable[[np.ndarray], np.ndarray], size: int, *, evaluations: int = EVALUATIONS, seed: int = 0
) -> Found:
    """The latent with the smallest distance from what is wanted.

    Args:
        distance: float32 [N, size] -> float64 [N]; what is not finite counts as worst.
        size: of a latent, at least 2.
        evaluations: the search ends with the generation that reaches so many, or at a distance of 0.

    Raises:
        UserError: the package cma is missing.
    """
    try:
        cma = importlib.import_module("cma")
    except ImportError:
        raise UserError("a search by CMA-ES needs the package cma: pip install cma") from None
    random = np.random.default_rng(seed)
    options = {
        "popsize": POPULATION,
        "randn": lambda *shape: random.standard_normal(shape),
        "seed": np.nan,  # or it would set NumPy's own
        "verbose": -9,
    }
    strategy = cma.CMAEvolutionStrategy(np.zeros(size), STEP, options)
    best, latent, curve, done = np.inf, np.zeros(size, np.float32), [], 0
    while done < evaluations and best > 0:
        points = np.asarray(strategy.ask(), np.float32)
        found = np.where(np.isfinite(values := distance(points)), values, np.finfo(np.float64).max)
        strategy.tell(list(points.astype(np.float64)), list(found))
        done += len(points)
        if found.min() < best:
            best, latent = float(found.min()), points[found.argmin()]
        curve.append((done, float(found.min()), best))
    return Found(latent, best, np.array(curve))
