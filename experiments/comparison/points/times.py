"""What a thousand points cost: all families and samplers side by side in one process, in turns.

    taskset -c 1 python experiments/comparison/points/times.py

Fresh networks: their program is that of trained ones. In each of 41 rounds every one draws 1,000 points, in
an order of its own. It is the processor's time, on one core, that counts: what other programs do meanwhile is
not in it. The median of the rounds and its 95 % interval (order statistics) go to times.json, with the
evaluations of the network and the operations.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import scipy.stats
from samplers import SAMPLERS

from gan_jax.algorithms.diffusion import Diffusion
from gan_jax.config.build import build, open_data
from gan_jax.core.algorithm import Algorithm
from gan_jax.inference.sample import drawable
from gan_jax.study.study import open_study, runs_of
from gan_jax.summaries.costs import flops, shapes_of
from gan_jax.utils.provenance import hardware

HERE = Path(__file__).parent
POINTS, ROUNDS = 1_000, 41


def methods() -> dict[str, Algorithm]:
    """Every family, and the diffusion model with every sampler."""
    runs = [run for run in runs_of(open_study(HERE / "grid")) if run.seed == 0]
    dataset = open_data(runs[0].config)
    found = {run.variant: build(run.config, dataset).algorithm for run in runs}
    edm = found.pop("edm")
    assert isinstance(edm, Diffusion)
    return found | {
        f"edm, {name}": dataclasses.replace(edm, sampler=sampler) for name, sampler in SAMPLERS.items()
    }


def main() -> None:
    """Writes times.json."""
    batch: dict[str, Any] = {"image": np.zeros((POINTS, 1, 1, 2), np.float32)}
    calls: dict[str, Callable[[], Any]] = {}
    rows: dict[str, dict[str, Any]] = {}
    for name, algorithm in methods().items():
        state = drawable(jax.jit(algorithm.init)(jax.random.key(0), batch))
        sample, key = jax.jit(algorithm.sample), jax.random.key(1)
        calls[name] = functools.partial(sample, state, batch, key)
        jax.block_until_ready(calls[name]())  # compiles
        whole = flops(algorithm.sample, *map(shapes_of, (state, batch, key)))
        rows[name] = {"evaluations": algorithm.evaluations, "mflop": float(f"{whole / 1e6:.4g}")}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    random = np.random.default_rng(0)
    for _ in range(ROUNDS):
        for name in random.permutation(list(calls)):
            begun = time.process_time()
            jax.block_until_ready(calls[name]())
            taken[name].append(1e3 * (time.process_time() - begun))
    # The median lies between these two of the sorted times in 95 % of cases.
    low = int(scipy.stats.binom.ppf(0.025, ROUNDS, 0.5)) - 1
    for name, times in taken.items():
        ordered = sorted(times)
        three = (ordered[ROUNDS // 2], ordered[low], ordered[ROUNDS - 1 - low])
        rows[name]["ms"] = [float(f"{x:.3g}") for x in three]
    found = {"hardware": hardware(), "points": POINTS, "rounds": ROUNDS, "methods": rows}
    (HERE / "times.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
