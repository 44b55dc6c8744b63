"""What it costs to draw images from a trained method: time, evaluations of its network, operations.

Times are those of this machine, whatever else it does; the rest follows from the method and its networks.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from gan_jax.core.algorithm import Algorithm
from gan_jax.core.state import TrainState
from gan_jax.data.spec import DataSpec
from gan_jax.evaluation.metric import Better, Comparison, Metric
from gan_jax.inference.conditions import Conditions
from gan_jax.inference.sample import CHUNK, drawable
from gan_jax.summaries.costs import flops, shapes_of
from gan_jax.utils.provenance import hardware

BATCHES, SINGLES = 5, 15  # calls that are timed


@dataclass(frozen=True)
class SamplingCost:
    """Of drawing images.

    Attributes:
        images_per_second: in batches of `CHUNK`.
        latency_ms: of a single image, in milliseconds.
        network_evaluations: for one image.
        gflop_per_image: 10^9 floating-point operations, as `summaries.costs` counts them, in a batch.
    """

    images_per_second: float
    latency_ms: float
    network_evaluations: int
    gflop_per_image: float


def sampling_cost(
    algorithm: Algorithm, spec: DataSpec, state: TrainState, conditions: Conditions | None = None
) -> SamplingCost:
    """Measures on one device of this process; times are medians, after a call that compiles.

    Args:
        conditions: what a method that reads source batches makes its images of.
    """
    state, sample = drawable(state), jax.jit(algorithm.sample)

    def batch(count: int) -> dict[str, Any]:
        image = np.zeros((count, *spec.image_shape), np.float32)
        rows: Mapping[str, Any] = {} if conditions is None else conditions.rows(0, count)
        return {"image": image, "label": np.zeros(count, np.int32), **rows}

    def seconds(count: int, calls: int) -> float:
        given = jax.device_put(batch(count))
        taken = []
        for number in range(calls + 1):  # the first compiles
            begun = time.perf_counter()
            jax.block_until_ready(sample(state, given, jax.random.key(number)))
            taken.append(time.perf_counter() - begun)
        return statistics.median(taken[1:])

    whole = flops(algorithm.sample, *map(shapes_of, (state, batch(CHUNK), jax.random.key(0))))
    return SamplingCost(
        images_per_second=CHUNK / seconds(CHUNK, BATCHES),
        latency_ms=1e3 * seconds(1, SINGLES),
        network_evaluations=algorithm.evaluations,
        gflop_per_image=whole / CHUNK / 1e9,
    )


def digits(value: float, count: int) -> float:
    """The value rounded to so many digits."""
    return float(f"{value:.{count}g}")


def _sampling(given: Comparison) -> dict[str, float]:
    assert given.sampling_cost is not None
    found: SamplingCost = given.sampling_cost()
    return {
        "images_per_second": digits(found.images_per_second, 3),
        "latency_ms": digits(found.latency_ms, 3),
        "network_evaluations": float(found.network_evaluations),
        "gflop_per_image": digits(found.gflop_per_image, 4),
    }


_SCORES: dict[str, Better] = {
    "images_per_second": "higher",
    "latency_ms": "lower",
    "network_evaluations": "lower",
    "gflop_per_image": "lower",
}
SAMPLING = Metric(
    1,
    f"medians of {BATCHES} calls for {CHUNK} images and {SINGLES} for one, after one that compiles",
    _SCORES,
    _sampling,
    least=1,
    needs=frozenset({"sampler"}),
    features=False,
)


def sampling_here() -> Metric:
    """The metric with this machine in its protocol, as its times are of no other."""
    return dataclasses.replace(SAMPLING, protocol=f"{SAMPLING.protocol}, on {hardware()}")
