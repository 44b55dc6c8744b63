"""Scores of the study's runs in two feature spaces, and of the diffusion model's samplers.

    python experiments/comparison/images/measure.py --runs runs/comparison/images

Reads RUNS/runs/VARIANT-SEED, as the study keeps them, and adds a row to scores.jsonl beside this file for
each run and sampler that has none: 2,000 samples, the same for all scores, against the 60,000 training
images, in the features of Fashion-MNIST's classifier and of random networks; bits of 2,000 test images where
the method has a likelihood. 100 and 1,000 steps take too long for 2,000 samples: there are 256, beside as
many of fewer steps.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import gan_jax

OUT = Path(__file__).with_name("scores.jsonl")
NUM, FEW = 2_000, 256
NETWORKS = ("classifier:fashion_mnist", "random")
REAL = "fashion_mnist:train"


class Sampler(NamedTuple):
    """How a diffusion model samples, and how many images."""

    solver: str
    steps: int
    num: int

    @property
    def name(self) -> str:
        return f"{self.solver} {self.steps}" + ("" if self.num == NUM else f", {self.num} images")


SAMPLERS = {  # variant -> of a diffusion model; the first is its sampler in the table of all families
    "edm": (
        *(Sampler("heun", steps, NUM) for steps in (18, 10, 5)),
        *(Sampler("ddim", steps, NUM) for steps in (10, 20, 50)),
        Sampler("heun", 18, FEW),
    ),
    "ddpm": (
        Sampler("ancestral", 50, NUM),
        *(Sampler("ddim", steps, NUM) for steps in (50, 10, 20)),
        Sampler("heun", 10, NUM),
        *(Sampler("ddim", steps, FEW) for steps in (50, 100)),
        *(Sampler("ancestral", steps, FEW) for steps in (100, 1_000)),
    ),
}


def scores_of(images: np.ndarray) -> dict[str, float]:
    """Of 2,000 images all scores, of fewer those that need no more: name, in which features -> value."""
    found = {}
    metrics = ["fid", "kid", "prdc", "memorisation"] if len(images) >= 1_000 else ["fid", "prdc"]
    for network in NETWORKS:
        for name, value in gan_jax.evaluate(images, REAL, metrics=metrics, network=network).items():
            found[f"{name}, {network.partition(':')[0]}"] = value
    return found


def bits_of(run: gan_jax.Run) -> dict[str, float]:
    """Bits per dimension of test images; nothing where the method has no likelihood."""
    if run.algorithm.bits_kind is None:
        return {}
    return dict(gan_jax.evaluate(run, metrics="bits_per_dim", num=NUM))


def variant_of(folder: Path) -> str:
    """The study's variant that a run's folder is of."""
    return folder.name.rpartition("-")[0]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=Path, required=True, help="the folder of the study's results")
    parser.add_argument("--only", default="", help="variants, with commas between; all by default")
    args = parser.parse_args()
    rows = [json.loads(line) for line in OUT.read_text().splitlines()] if OUT.exists() else []
    done = {(row["run"], row["sampler"]) for row in rows}
    folders = sorted((args.runs / "runs").iterdir())
    wanted = [folder for folder in folders if not args.only or variant_of(folder) in args.only.split(",")]
    jobs = [
        (rank, folder, sampler)
        for folder in wanted
        for rank, sampler in enumerate(SAMPLERS.get(variant_of(folder), (None,)))
        if (folder.name, sampler.name if sampler else "") not in done
    ]
    for _, folder, sampler in sorted(jobs, key=lambda job: job[:2]):
        run = gan_jax.load(folder)
        options: dict[str, Any] = dict(solver=sampler.solver, steps=sampler.steps) if sampler else {}
        begun = time.perf_counter()
        images = run.to_uint8(run.sample(sampler.num if sampler else NUM, seed=1, **options))
        seconds = time.perf_counter() - begun
        scores = scores_of(images) | ({} if sampler else bits_of(run))
        row = {
            "run": folder.name,
            "step": run.step,
            "sampler": sampler.name if sampler else "",
            "num": len(images),
            "scores": {key: float(f"{value:.6g}") for key, value in scores.items()},
        }
        with OUT.open("a") as file:
            file.write(json.dumps(row) + "\n")
        sys.stdout.write(
            f"{folder.name} {row['sampler']}: FID {scores['fid, classifier']:.1f}, {seconds:.0f} s\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
