"""The flags of `gan-jax neighbours`, and their checks."""

from __future__ import annotations

from pathlib import Path

from absl import flags

from gan_jax.cli.command_flags import (
    DATA_DIR,
    check_checkpoint,
    define_checkpoint,
    define_integer,
    define_path,
    define_workdir,
    required,
    take_run,
)


def define_neighbours(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax neighbours`."""
    define_workdir(values)
    define_path(values, "out", "The picture to write: .png, .jpg, .jpeg or .webp.")
    define_checkpoint(values)
    define_integer("num", 8, "Generated pictures.", lower_bound=1, upper_bound=1000, flag_values=values)
    define_integer(
        "nearest",
        4,
        "Training pictures beside each, in pixels and in features.",
        lower_bound=1,
        upper_bound=100,
        flag_values=values,
    )
    flags.DEFINE_string(
        "network", "auto", "Whose features are compared, as for gan-jax evaluate.", flag_values=values
    )
    define_integer("seed", 0, "Of the latents.", lower_bound=0, flag_values=values)
    define_path(values, "data_dir", DATA_DIR)
    define_path(
        values,
        "real_dir",
        "Where the folder of pictures is now that the run was trained on. Default: where it was.",
    )
    return argv


def neighbours(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax neighbours`."""
    take_run(values, rest)
    workdir, out = Path(required(values, "workdir")), Path(required(values, "out"))
    check_checkpoint(values)
    from gan_jax.cli import neighbours_command

    neighbours_command.neighbours(
        workdir,
        out,
        num=values.num,
        nearest=values.nearest,
        network=values.network,
        seed=values.seed,
        step=values.step,
        best=values.best,
        data_dir=values.data_dir,
        real_dir=values.real_dir,
    )
