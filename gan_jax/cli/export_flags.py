"""The flags of `gan-jax export`, and their checks."""

from __future__ import annotations

from pathlib import Path

from absl import flags

from gan_jax.cli.command_flags import (
    check_checkpoint,
    define_checkpoint,
    define_direction,
    define_path,
    define_workdir,
    required,
    take_run,
)
from gan_jax.cli.sample_flags import define_truncation, truncation_of

FORMATS = ("stablehlo", "safetensors", "onnx")
EXAMPLE = """\
Files that need no gan_jax; examples/ has a program of twenty lines for each. From a fresh clone:

  gan-jax train --config gan_shapes --workdir runs/shapes
  gan-jax export runs/shapes --out model
  python examples/generate_stablehlo.py model pictures.png

"""


def define_export(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax export`."""
    define_workdir(values)
    define_path(
        values,
        "out",
        "The folder to be written: model.json, which says what goes in and comes out, and a file for each "
        "format. The same command adds formats; nothing else that is there is written over.",
    )
    flags.DEFINE_list(
        "formats",
        list(FORMATS[:2]),
        "Which, with commas between: stablehlo (a program of jax.export with the weights in it), safetensors "
        "(the weights), onnx (a program; needs jax2onnx). Default: the first two.",
        flag_values=values,
    )
    define_direction(values)
    define_truncation(values)
    define_checkpoint(values)
    return argv


def export(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax export`."""
    take_run(values, rest)
    workdir, out = (Path(required(values, name)) for name in ("workdir", "out"))
    check_checkpoint(values)
    unknown = [name for name in values.formats if name not in FORMATS]
    if unknown or not values.formats:
        raise flags.Error(f"--formats={','.join(values.formats)}: choose from {', '.join(FORMATS)}")
    from gan_jax.cli import exporting

    exporting.export(
        exporting.Request(
            workdir=workdir,
            out=out,
            formats=tuple(name for name in FORMATS if name in values.formats),
            direction=values.direction,
            truncation=truncation_of(values),
            step=values.step,
            best=values.best,
        )
    )
