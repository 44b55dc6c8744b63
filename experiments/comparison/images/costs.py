"""What training and sampling of each family cost on this machine, side by side.

    python experiments/comparison/images/costs.py [--rounds 7]

Times of networks with fresh weights, which take as long as trained ones: in every round each family makes its
train steps, a batch of 64 images and one image, in turn, in one process; costs.json has the medians, and the
lowest and highest of the rounds. Leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import json
import runpy
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from gan_jax.config.build import build_algorithm, example_batch
from gan_jax.core.algorithm import Algorithm
from gan_jax.data import DataSpec, Field
from gan_jax.distributed import parallel
from gan_jax.inference.sample import CHUNK, drawable
from gan_jax.inference.samplers import SamplerChoice, with_sampler
from gan_jax.study.study import open_study, runs_of
from gan_jax.summaries.costs import flops, parameter_counts, shapes_of, step_flops
from gan_jax.utils.provenance import hardware

HERE = Path(__file__).parent
STEPS = 5  # in one compiled call
SPEC = DataSpec({"image": Field((28, 28, 1))}, 10)
CONFIGS = {run.variant.split()[0]: run.config for run in runs_of(open_study(HERE))}
MEASURE = runpy.run_path(str(HERE / "measure.py"))
SAMPLERS, NUM = MEASURE["SAMPLERS"], MEASURE["NUM"]


class Family:
    """A method with fresh weights."""

    def __init__(self, config: ml_collections.ConfigDict) -> None:
        self.batch_size = config.batch_size
        self.algorithm = build_algorithm(config, SPEC)
        self.mesh = parallel.make_mesh()
        self.batch = example_batch(SPEC, self.batch_size)
        self.state = parallel.initial_state(self.algorithm, jax.random.key(0), self.batch, self.mesh)

    def facts(self) -> dict[str, Any]:
        """Parameters, and operations of training with an image."""
        counts = [parameter_counts(player)[0] for player in self.state.players.values()]
        shapes = jax.eval_shape(self.algorithm.init, jax.random.key(0), self.batch)
        step = step_flops(self.algorithm, shapes, self.batch).mean
        return {"parameters": counts, "training_gflop": step / self.batch_size / 1e9}

    def training(self) -> Callable[[], float]:
        """Seconds of a train step."""
        shape = (STEPS, self.algorithm.minibatches, *self.batch["image"].shape)
        images = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
        rows = {"image": images, "label": np.zeros(shape[:3], np.int32)}
        items = parallel.place(rows, parallel.split_on(self.mesh, 2))
        call = parallel.compile_step(self.algorithm, lambda _, item, key: item, self.mesh, STEPS)
        state = jax.tree.map(jnp.copy, self.state)

        def run() -> float:
            nonlocal state
            begun = time.perf_counter()
            state, _ = call(state, {}, items, jnp.int32(STEPS))
            jax.block_until_ready(state)
            return (time.perf_counter() - begun) / STEPS

        return run

    def sampling(self, algorithm: Algorithm, count: int) -> Callable[[], float]:
        """Seconds for so many images."""
        state, sample = drawable(self.state), jax.jit(algorithm.sample)
        batch = {
            "image": np.zeros((count, *SPEC.image_shape), np.float32),
            "label": np.zeros(count, np.int32),
        }

        def run() -> float:
            begun = time.perf_counter()
            jax.block_until_ready(sample(state, batch, jax.random.key(0)))
            return time.perf_counter() - begun

        return run

    def sampling_facts(self, algorithm: Algorithm) -> dict[str, Any]:
        """Network evaluations and operations of an image."""
        batch = {
            "image": np.zeros((CHUNK, *SPEC.image_shape), np.float32),
            "label": np.zeros(CHUNK, np.int32),
        }
        whole = flops(algorithm.sample, *map(shapes_of, (drawable(self.state), batch, jax.random.key(0))))
        return {"evaluations": algorithm.evaluations, "sampling_gflop": whole / CHUNK / 1e9}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    parallel.use_all_cores()
    found: dict[str, dict[str, Any]] = {}
    runs: dict[tuple[str, str], Callable[[], float]] = {}
    for name, config in CONFIGS.items():
        family = Family(config)
        found[name] = family.facts()
        runs[name, "train_step"] = family.training()
        samplers = {s.name: s for s in SAMPLERS.get(name, ()) if s.num == NUM} or {"": None}
        for called, sampler in samplers.items():
            algorithm = family.algorithm
            if sampler is not None:
                algorithm = with_sampler(algorithm, SamplerChoice(sampler.solver, sampler.steps))
            whole = f"{name} {called}".strip()
            found.setdefault(whole, {}).update(family.sampling_facts(algorithm))
            runs[whole, "batch"] = family.sampling(algorithm, CHUNK)
            runs[whole, "one"] = family.sampling(algorithm, 1)
    for run in runs.values():
        run()  # compiles
    times: dict[tuple[str, str], list[float]] = {key: [] for key in runs}
    for number in range(args.rounds):
        for key, run in runs.items():
            times[key].append(run())
        sys.stdout.write(f"round {number + 1} of {args.rounds}\n")
    for (name, what), values in times.items():
        found[name][f"{what}_seconds"] = [statistics.median(values), min(values), max(values)]
    machine = {"hardware": hardware(), "rounds": args.rounds, "jax": jax.__version__}
    (HERE / "costs.json").write_text(json.dumps({"machine": machine, "costs": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
