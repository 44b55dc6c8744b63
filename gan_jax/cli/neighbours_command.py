"""What `gan-jax neighbours` does, once its flags are read."""

from __future__ import annotations

import sys
from pathlib import Path

import jax
import numpy as np

from gan_jax.evaluation.networks import open_network
from gan_jax.evaluation.sources.sources import dataset_source, generator_source
from gan_jax.inference.sample import make_chunks
from gan_jax.latent_tools.neighbours import check_pictured, neighbours_picture
from gan_jax.summaries.pictures import FORMATS, save_picture
from gan_jax.training.restore import BEST, NEWEST, restored_run, run_conditions, run_data
from gan_jax.utils.files import checked_suffix
from gan_jax.utils.names import counted


def neighbours(
    workdir: Path,
    out: Path,
    *,
    num: int,
    nearest: int,
    network: str,
    seed: int,
    step: int | None,
    best: bool,
    data_dir: str | None,
    real_dir: str | None,
) -> None:
    """gan-jax neighbours: what was drawn beside the nearest training pictures."""
    checked_suffix(out, FORMATS)
    algorithm, spec, state = restored_run(workdir, BEST if best else NEWEST, step)
    real = dataset_source(run_data(workdir, data_dir, real_dir))
    conditions = run_conditions(workdir, algorithm, data_dir, real_dir)
    chunks = make_chunks(algorithm, spec, conditions)
    fake = generator_source(
        f"run {workdir.resolve().name}",
        algorithm,
        spec,
        state,
        seed=seed,
        chunks=chunks,
        devices=jax.local_devices()[:1],
    )
    check_pictured(fake)
    networks = [
        (title, open_network(name, real, data_dir=data_dir))
        for title, name in (("pixels", "pixels"), ("features", network))
    ]
    picture, distances = neighbours_picture(fake, real, networks, num, nearest)
    save_picture(out, picture)
    said = ", ".join(f"{name} {np.median(found[:, 0]):.4g}" for name, found in distances.items())
    sys.stdout.write(
        f"{counted(num, 'picture')} from step {int(state.step)} beside the nearest of {real.size} of "
        f"{real.name} (features of {networks[1][1].name}; median distance in {said}) in {out}\n"
    )
