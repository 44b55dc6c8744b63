"""Runs of a study as runs of their own: OUT/runs/VARIANT-SEED, which `gan-jax sample` and all others read."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import jax

from gan_jax.config.build import Plan
from gan_jax.core.state import TrainState
from gan_jax.study.study import Run, file_name
from gan_jax.training.checkpoint import Checkpoints
from gan_jax.training.restore import NEWEST
from gan_jax.training.workdir import LOCK, check_workdir, note_saved, note_start
from gan_jax.utils.files import locked

RUNS = "runs"


def run_folder(out: Path, run: Run) -> Path:
    """Where a run of the study in `out` is kept."""
    return out / RUNS / f"{file_name(run.variant)}-{run.seed}"


def check_free(folder: Path, run: Run, plan: Plan) -> None:
    """Raises a UserError where the folder holds something else, such as the variant as it was before."""
    check_workdir(folder, run.config, plan.dataset, plan.frozen_digests)


def keep_run(folder: Path, run: Run, plan: Plan, states: TrainState, index: int) -> None:
    """Writes a run's config, and its last state as a checkpoint.

    Args:
        plan: its config, read.
        states: of all runs that were trained together, leaves [R, ...].
        index: the run's place among them.

    Raises:
        UserError: the folder holds something else, or cannot be written.
    """
    one: TrainState = jax.tree.map(lambda x: x[index], states.replace(step=None, frozen=()))
    with locked(folder, LOCK):
        note_start(folder, check_workdir(folder, run.config, plan.dataset, plan.frozen_digests))
        with closing(Checkpoints(folder / NEWEST, committed=lambda: note_saved(folder))) as checkpoints:
            checkpoints.save(one.replace(step=states.step))
