"""A run from its folder: the algorithm, and the state of one of its checkpoints."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from absl import logging

from gan_jax.config.build import build_algorithm, check_fields, data_folder, example_batch, open_data
from gan_jax.config.components import complete
from gan_jax.config.phases import phase_configs
from gan_jax.config.record import data_paths
from gan_jax.core.algorithm import Algorithm
from gan_jax.core.state import TrainState
from gan_jax.data import Dataset, DataSpec
from gan_jax.data.prepared import is_same_data
from gan_jax.distributed import parallel
from gan_jax.distributed.memory import check_devices
from gan_jax.evaluation.evaluate import held_out_rows
from gan_jax.inference.conditions import Conditions, dataset_conditions
from gan_jax.training.best import BEST, best_note
from gan_jax.training.checkpoint import Checkpoints
from gan_jax.training.workdir import recorded_run
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import printable
from gan_jax.utils.paths import expanded

TRIES = 100  # of reading a checkpoint while the run trains
NEWEST = "checkpoints"  # the folder of a run that holds the newest ones; BEST holds the best one


def restored_run(
    workdir: str | Path, folder: str = NEWEST, step: int | None = None
) -> tuple[Algorithm, DataSpec, TrainState]:
    """A run's algorithm at that step, what it knows of the data, and the state of its newest good checkpoint.

    The run may be training meanwhile: a checkpoint that is deleted while it is read is chosen again.

    Args:
        folder: NEWEST, or BEST: the one with the best score that was measured while training, which best.json
            names.
        step: the checkpoint of this step, in either folder, and no other.

    Raises:
        UserError: no run there, no checkpoint yet, or none that is intact; no intact one of this step.
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
    batch = example_batch(spec, phases[0].config.batch_size)
    like = parallel.abstract_state(algorithm, batch, mesh)
    check_devices({"state": parallel.device_bytes(like)}, mesh, "a machine with more memory can hold it")
    if step is not None:
        folder = next((name for name in (NEWEST, BEST) if (workdir / name / str(step)).is_dir()), NEWEST)
    state = _restored(workdir, folder, step, like)
    if state is None:
        raise UserError(f"{workdir} has no checkpoint yet; let gan-jax train reach one")
    phase = next(phase for phase in phases if int(state.step) <= phase.stop)
    return build_algorithm(phase.config, spec, phase.start), spec, state


def _restored(workdir: Path, folder: str, step: int | None, like: TrainState) -> TrainState | None:
    """The state of one of the checkpoints, none of which another process deleted while it was read."""
    with closing(Checkpoints(workdir / folder, reading=True)) as checkpoints:
        for _ in range(TRIES):
            before = checkpoints.steps()
            try:
                wanted = best_note(workdir)["step"] if folder == BEST and step is None else step
                state = checkpoints.restore(like, wanted)
            except Exception:  # Orbax and TensorStore raise many kinds where a file vanishes
                if checkpoints.steps() == before:
                    raise
                continue
            now = checkpoints.steps()
            # Where the arrays of a vanished file are missing, TensorStore may read zeros.
            if now == before if state is None else int(state.step) in now:
                return state
    raise UserError(f"the checkpoints in {workdir / folder} change faster than they are read; try again")


def run_conditions(
    workdir: str | Path,
    algorithm: Algorithm,
    data_dir: str | Path | None = None,
    real_dir: str | Path | None = None,
) -> Conditions | None:
    """What a run's method makes images of where it reads source batches: held-out rows of the run's data.

    Args:
        data_dir, real_dir: as `run_data` takes them.

    Raises:
        UserError: the data set is not there.
    """
    if not algorithm.conditions:
        return None
    dataset = run_data(workdir, data_dir, real_dir, changed=True)
    rows = held_out_rows(dataset, data_dir or data_folder(recorded_run(workdir)[0]))
    return dataset_conditions(rows, algorithm.conditions)


def run_data(
    workdir: str | Path,
    data_dir: str | Path | None = None,
    real_dir: str | Path | None = None,
    *,
    changed: bool = False,
) -> Dataset:
    """The data set that a run was trained on, compared with what the run recorded of it.

    Args:
        data_dir: where prepared sets are; None for where the run's was.
        real_dir: where the run's folder of pictures, or its .npz file, is; None for where it was.
        changed: take what is there also where it is not what was recorded; a warning says so.

    Raises:
        UserError: it is not there, or it is not the same any more.
    """
    config, _, record = recorded_run(expanded(workdir))
    config = complete(config)
    folders = [(node, field) for node, field in data_paths(config) if field in ("folder", "file")]
    if real_dir is not None:
        if not folders:
            raise UserError(
                f"real_dir={real_dir}: the run in {workdir} was trained on {config.data.name}, which is no "
                "folder of pictures: leave it out; data_dir is where prepared data sets are"
            )
        node, field = folders[0]
        node[field] = str(real_dir)
    for node, field in folders:
        if not expanded(node[field]).exists():
            raise UserError(
                f"the run in {workdir} was trained on the pictures in {printable(node[field])}, and there is "
                f"no such {field}: put them back, or say where they are now (gan-jax evaluate --real_dir)"
            )
    dataset, before = open_data(config, data_dir), record["data"]["fingerprint"]
    if is_same_data(before, dataset.fingerprint):
        return dataset
    message = (
        f"the data of the run in {workdir} are not those that it was trained on: they were {before}, and now "
        f"there are {dataset.fingerprint}"
    )
    if not changed:
        raise UserError(
            f"{message}. Put the old ones back, say where they are (real_dir for a folder of pictures, "
            "data_dir for prepared sets), or take those that are there (gan-jax evaluate --changed_reals)"
        )
    logging.warning("%s", message)
    return dataset
