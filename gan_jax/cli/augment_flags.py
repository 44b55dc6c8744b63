"""The flags of `gan-jax augment`, and their checks."""

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
from gan_jax.cli.sample_flags import define_sampler, define_truncation, truncation_of

EXAMPLE = "gan-jax augment runs/x --per_class 500 --classes Shirt,Bag --out generated\n\n"


def define_augment(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax augment`."""
    define_workdir(values)
    define_path(
        values,
        "out",
        "The folder to write: a sub-folder of PNGs for each class, as the data set image_folder reads them, "
        "and augment.json, which says where they come from.",
    )
    define_integer("per_class", None, "Pictures of each class.", lower_bound=1, flag_values=values)
    flags.DEFINE_string(
        "classes", "all", "Which, by name or number, with commas between. Default: all.", flag_values=values
    )
    define_integer(
        "seed",
        0,
        "Picture i of a class is a function of it, the class and i.",
        flag_values=values,
        lower_bound=0,
    )
    define_checkpoint(values)
    define_truncation(values)
    define_sampler(values)
    return argv


def augment(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax augment`."""
    take_run(values, rest)
    workdir, out = Path(required(values, "workdir")), Path(required(values, "out"))
    per_class = required(values, "per_class")
    check_checkpoint(values)
    from gan_jax.cli import augmenting

    augmenting.augment(
        workdir,
        out,
        per_class=per_class,
        classes=values.classes,
        seed=values.seed,
        step=values.step,
        best=values.best,
        truncation=truncation_of(values),
        sampler=(values.solver, values.steps, values.guidance),
    )
