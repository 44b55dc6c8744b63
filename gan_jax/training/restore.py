"""A run from its folder: the algorithm, and the state of one of its checkpoints."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from gan_jax.config.build import build_algorithm, check_fields, data_folder, example_batch, open_data
from gan_jax.config.components import complete
from gan_jax.config.phases import phase_configs
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.state import TrainState
from gan_jax.data import DataSpec
from gan_jax.distributed import parallel
from gan_jax.evaluation.evaluate import held_out_conditions
from gan_jax.inference.conditions import Conditions
from gan_jax.training.best import BEST, best_note
from gan_jax.training.checkpoint import Checkpoints
from gan_jax.training.workdir import recorded_run
from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded

NEWEST = "checkpoints"  # the folder of a run that holds the newest ones; BEST holds the best one


def restored_run(workdir: str | Path, folder: str = NEWEST) -> tuple[Algorithm, DataSpec, TrainState]:
    """A run's algorithm at that step, what it knows of the data, and the state of its newest good checkpoint.

    Args:
        folder: NEWEST, or BEST: the one with the best score that was measured while training, which best.json
            names.

    Raises:
        UserError: no run there, no checkpoint yet, or none that is intact.
    """
    workdir = expanded(workdir)
    config, spec, _ = recorded_run(workdir)
    config = complete(config)
    try:
        check_fields(config)
    except UserError as error:
        raise UserError(
            f"the run in {workdir} was recorded by another version of gan_jax, and this one cannot read its "
            f"config: {error}"
        ) from None
    phases = phase_configs(config)
    algorithm = build_algorithm(phases[0].config, spec)
    mesh = parallel.mesh_of_at_most(1)
    with closing(Checkpoints(workdir / folder)) as checkpoints:
        batch = example_batch(spec, phases[0].config.batch_size)
        step = best_note(workdir)["step"] if folder == BEST else None
        state = checkpoints.restore(parallel.abstract_state(algorithm, batch, mesh), step)
    if state is None:
        raise UserError(f"{workdir} has no checkpoint yet; let gan-jax train reach one")
    phase = next(phase for phase in phases if int(state.step) <= phase.stop)
    return build_algorithm(phase.config, spec, phase.start), spec, state


def run_conditions(
    workdir: str | Path, algorithm: Algorithm, data_dir: str | Path | None = None
) -> Conditions | None:
    """What a run's method makes images of where it reads source batches: held-out rows of the run's data.

    Raises:
        UserError: the data set is not there.
    """
    if not algorithm.conditions:
        return None
    config = complete(recorded_run(workdir)[0])
    return held_out_conditions(algorithm, open_data(config, data_dir), data_dir or data_folder(config))
