"""One diffusion model, many samplers: the points that the kept EDM runs make in fewer and in more steps.

    python experiments/comparison/points/samplers.py --runs runs/comparison

reads RUNS/STUDY/runs/edm-SEED, which `gan-jax study` keeps, and writes STUDY/samplers.jsonl here: a row for
each sampler and seed, with the scores of 2,500 points as in the studies.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax

from gan_jax.algorithms.diffusion import Diffusion
from gan_jax.algorithms.solvers import DDIM, Ancestral, Heun, Sampler
from gan_jax.config.build import build, open_data
from gan_jax.distributed import parallel
from gan_jax.evaluation.generated import GeneratedSetMaker
from gan_jax.evaluation.protocol import WHILE_TRAINING
from gan_jax.study.kept import run_folder
from gan_jax.study.study import open_study, runs_of
from gan_jax.training.callbacks import SEED
from gan_jax.training.evaluators import open_evaluator
from gan_jax.training.restore import restored_run

HERE = Path(__file__).parent
SAMPLERS: dict[str, Sampler] = {
    **{f"heun {steps}": Heun(steps=steps) for steps in (3, 5, 9, 18, 50)},
    **{f"ddim {steps}": DDIM(steps=steps) for steps in (5, 9, 17, 35, 99)},
    "ancestral 200": Ancestral(steps=200),
}


def main() -> None:
    """Writes samplers.jsonl of each study."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=Path, required=True, help="the folder of the studies' --out")
    parser.add_argument("--studies", nargs="+", default=["grid", "grid_longer", "spiral"])
    given = parser.parse_args()
    for study in given.studies:
        rows = scored(study, given.runs / study)
        (HERE / study / "samplers.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def scored(study: str, out: Path) -> Iterator[dict[str, Any]]:
    """A row for each sampler and seed."""
    runs = [run for run in runs_of(open_study(HERE / study)) if run.variant == "edm"]
    plan = build(runs[0].config, open_data(runs[0].config))
    assert isinstance(plan.algorithm, Diffusion)
    evaluator = open_evaluator(plan, parallel.mesh_of_at_most(1))
    states = [restored_run(run_folder(out, run))[2] for run in runs]
    for name, sampler in SAMPLERS.items():
        algorithm = dataclasses.replace(plan.algorithm, sampler=sampler)
        make = GeneratedSetMaker("study", algorithm, plan.spec, devices=jax.local_devices()[:1])
        for run, state in zip(runs, states, strict=True):
            record = evaluator(make(state, seed=SEED, which=WHILE_TRAINING, averaged=True))
            scores = {score: float(f"{found.value:.7g}") for score, found in record.scores.items()}
            yield {"sampler": name, "evaluations": sampler.evaluations, "seed": run.seed, "scores": scores}


if __name__ == "__main__":
    main()
