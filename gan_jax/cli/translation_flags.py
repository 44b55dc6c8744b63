"""The flags of `gan-jax translate`, and their checks."""

from __future__ import annotations

from pathlib import Path

from absl import flags

from gan_jax.cli.command_flags import (
    check_checkpoint,
    define_checkpoint,
    define_direction,
    define_integer,
    define_path,
    define_workdir,
    required,
    take_run,
)

EXAMPLE = """\
From a fresh clone, with no download and in about two minutes: a run that colours grey pictures, pictures to
try it on, and what it makes of them. Any folder of pictures will do in their place.

  gan-jax train --config colouring_shapes --workdir runs/colouring
  gan-jax sample runs/colouring --num 16 --out shapes/
  gan-jax translate runs/colouring --input shapes/source --out coloured

"""


def define_translate(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax translate`."""
    define_workdir(values)
    define_path(
        values,
        "input",
        "A picture, or a folder with pictures in it and below it, of any size and format. What is "
        "transparent is laid on white; a run that fills holes takes it for the holes.",
    )
    define_path(
        values,
        "out",
        "The folder for the pictures that are made: PNGs of the same names, in the same sub-folders, opaque. "
        "The same command continues; nothing is written over.",
    )
    define_direction(values)
    define_integer(
        "seed", 0, "Of what the network draws, the same for every picture.", lower_bound=0, flag_values=values
    )
    define_integer(
        "tile",
        None,
        "Pixels: what is wider or higher is translated in overlapping tiles. Default: what the memory is "
        "enough for.",
        lower_bound=1,
        flag_values=values,
    )
    define_checkpoint(values)
    return argv


def translate(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax translate`."""
    take_run(values, rest)
    workdir, given, out = (required(values, name) for name in ("workdir", "input", "out"))
    check_checkpoint(values)
    from gan_jax.cli import translation

    translation.translate(
        translation.Request(
            workdir=Path(workdir),
            given=given,
            out=Path(out),
            direction=values.direction,
            seed=values.seed,
            tile=values.tile,
            step=values.step,
            best=values.best,
        )
    )
