"""The flags of `gan-jax explore`, and their checks.

As in `command_flags`, what the command needs is imported when it runs.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from gan_jax.cli.command_flags import (
    check_checkpoint,
    define_checkpoint,
    define_integer,
    define_workdir,
    required,
    take_run,
)

EXAMPLE = """\
A page on this machine alone (127.0.0.1), until Ctrl-C: sliders along the directions in which pictures change
most, seeds, classes, truncation, ways from one picture to another, and PNG files of what is seen.

  gan-jax explore runs/x
  ssh -L 8417:127.0.0.1:8417 HOST   # on your own machine, where the run is on another

"""


def define_explore(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax explore`."""
    define_workdir(values)
    define_checkpoint(values)
    define_integer(
        "port",
        None,
        "Of 127.0.0.1; 0 for any that is free. Default: 8417, or any free one where that is in use.",
        lower_bound=0,
        upper_bound=65535,
        flag_values=values,
    )
    return argv


def explore(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax explore`."""
    take_run(values, rest)
    workdir = Path(required(values, "workdir"))
    check_checkpoint(values)
    from gan_jax.cli import exploring

    exploring.explore(workdir, step=values.step, best=values.best, port=values.port)
