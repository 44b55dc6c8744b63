"""The types of metrics and of their input, a comparison of two sets of features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gan_jax.core.randomness import Latent
from gan_jax.densities.density import Density
from gan_jax.evaluation.extract import ExtractedSet
from gan_jax.feature_networks.network import FeatureNetwork

ALL = -1  # images: every one
Better = Literal["lower", "higher", "neither"]
Need = (
    Literal["logits", "labels", "held_out", "generator", "maps", "density", "pairs", "cycle", "colour"]
    | Literal["tiles", "game", "pipes", "sounds", "bits", "encoder", "sampler"]
)
OF_ROWS: frozenset[Need] = frozenset({"bits", "encoder"})  # needs of metrics of all held-out examples


@dataclass(frozen=True)
class Pairs:
    """Fakes and what each of them should have been.

    Attributes:
        fake: as stored, images uint8 [N, H, W, C].
        truth: likewise, number i that of fake i.
        network: what features are seen with; its codec is that of both.
    """

    fake: np.ndarray
    truth: np.ndarray
    network: FeatureNetwork


@dataclass(frozen=True)
class Comparison:
    """Input of the metrics: both sides, and what belongs to them.

    Attributes:
        real: the reals.
        fake: the generated images.
        network: what both were seen with.
        seed: of what a metric draws.
        held_out: reals that the generator was not trained on; None where there are none.
        generate: (latents float32 [B, L], labels int32 [B] or None) -> float32 images [B, H, W, C] in
            [-1, 1]; None where the fakes are files.
        latent: the latents' distribution and size, where there is a generator.
        of_reals: (name, make) -> make(), or what it gave before for the same reals and network; an array with
            a row for each real.
        density: the known density that the reals are drawn from; None where there is none.
        pairs: the fakes and their truths, where a metric needs them.
        cycle_errors: of each fake's source and by kind, float64 [N], where a metric needs them.
        bits, errors: (seed, stored examples, labels) -> `Algorithm.bits` [N] of each, or mean absolute and
            squared errors of what the method makes of their latents [N, 2]; None where it cannot say them.
        sampling_cost: () -> `sampling_cost.SamplingCost`; None where the fakes are files.
        once: (name, make) -> make(), or what it gave before for the same reals and network: anything that is
            quicker made anew than kept on a disk.
    """

    real: ExtractedSet
    fake: ExtractedSet
    network: FeatureNetwork
    seed: int
    held_out: ExtractedSet | None = None
    generate: Callable[..., np.ndarray] | None = None
    latent: tuple[Latent, int] | None = None
    of_reals: Callable[[str, Callable[[], np.ndarray]], np.ndarray] = lambda name, make: make()
    density: Density | None = None
    pairs: Pairs | None = None
    cycle_errors: Mapping[str, np.ndarray] | None = None
    bits: Callable[..., np.ndarray] | None = None
    errors: Callable[..., np.ndarray] | None = None
    sampling_cost: Callable[[], Any] | None = None
    once: Callable[[str, Callable[[], Any]], Any] = lambda name, make: make()


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        version: of its numbers.
        protocol: its own parameters, in words; part of the protocol.
        scores: the names of what it always yields, and which way is better. Further scores come with some:
            of each class or level, standard errors, and what takes labels.
        compute: from a comparison to its scores.
        least: images needed on each side.
        images: how many images of each side it reads, besides features.
        needs: what else it needs.
        least_side: height and width in pixels that pictures have at least.
        features: whether it reads features; one that reads none needs no network but for "maps".
        of_sets: whether it compares the fakes with the reals, and not each fake with something of its own.
        of_fakes: whether it looks at the fakes, and not at what the method says of held-out examples.
        each: from pairs to a value for each, float64 [N] by score, where scores are means of such.
    """

    version: int
    protocol: str
    scores: Mapping[str, Better]
    compute: Callable[[Comparison], dict[str, float]]
    least: int = 2
    images: int = 0
    needs: frozenset[Need] = frozenset()
    least_side: int = 1
    features: bool = True
    of_sets: bool = True
    of_fakes: bool = True
    each: Callable[[Pairs], dict[str, np.ndarray]] | None = None

    @property
    def uses_network(self) -> bool:
        """Whether its scores depend on the network."""
        return self.features or bool(self.needs & {"logits", "maps"})


def uses_network(metrics: Mapping[str, Metric]) -> bool:
    """Whether any of the metrics looks at a network."""
    return any(metric.uses_network for metric in metrics.values())
