"""The flags of `gan-jax levels`, and their checks."""

from __future__ import annotations

from pathlib import Path

from absl import flags

from gan_jax.cli.command_flags import (
    check_checkpoint,
    define_checkpoint,
    define_integer,
    define_path,
    define_workdir,
    required,
    take_run,
)

EXAMPLE = "gan-jax levels runs/x --search cmaes --fitness ground=0.5,enemies=0.1 --out found\n\n"


def define_levels(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax levels`."""
    define_workdir(values)
    define_path(
        values,
        "out",
        "The folder to write: level_000.txt and .png, and so on, and levels.csv; of a search also "
        "fitness.csv, fitness.png and latents.npz.",
    )
    define_checkpoint(values)
    define_integer(
        "num",
        None,
        "Levels. Default: 20; of a search 1, for each is a search of its own.",
        lower_bound=1,
        upper_bound=10_000,
        flag_values=values,
    )
    define_integer("seed", 0, "Of the latents, and of the search.", lower_bound=0, flag_values=values)
    flags.DEFINE_string(
        "label", None, "A class, by its name or number; of a conditional run.", flag_values=values
    )
    define_integer(
        "windows",
        1,
        "Windows of which each level is made, chosen so that nothing breaks at the seams.",
        lower_bound=1,
        upper_bound=100,
        flag_values=values,
    )
    flags.DEFINE_enum(
        "search", None, ["cmaes"], "Search the latent space. cmaes needs the package cma.", flag_values=values
    )
    flags.DEFINE_string(
        "fitness",
        None,
        "What a search wants: ground=0.5,enemies=0.1, and so on; a wrong name lists the right ones.",
        flag_values=values,
    )
    define_integer("evaluations", 1000, "Levels that a search looks at.", lower_bound=1, flag_values=values)
    return argv


def levels(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax levels`."""
    take_run(values, rest)
    workdir, out = Path(required(values, "workdir")), Path(required(values, "out"))
    check_checkpoint(values)
    if (values.search is None) != (values.fitness is None):
        missing, given = ("fitness", "search") if values.search else ("search", "fitness")
        raise flags.Error(f"--{missing} is missing beside --{given}={values[given].value}")
    if values.search and values.windows > 1:
        raise flags.Error(f"--windows={values.windows}: a search is for single windows; leave it out")
    from gan_jax.cli import level_commands

    if values.search is None:
        level_commands.draw(
            workdir,
            out,
            num=values.num or 20,
            windows=values.windows,
            seed=values.seed,
            label=values.label,
            step=values.step,
            best=values.best,
        )
    else:
        level_commands.search(
            workdir,
            out,
            values.fitness,
            num=values.num or 1,
            evaluations=values.evaluations,
            seed=values.seed,
            label=values.label,
            step=values.step,
            best=values.best,
        )
