"""The flags of `gan-jax info`."""

from __future__ import annotations

from absl import flags

from gan_jax.cli.command_flags import define_workdir, path_of, take_run
from gan_jax.config.config_flag import define_config

EXAMPLE = """\
Of a run what it is and how far it has come; of a config what it would cost, from shapes alone and without
its data: a preset of thirty million parameters takes seconds on a laptop.

  gan-jax info runs/x
  gan-jax info --config pix2pix_paper

"""


def define_info(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax info`."""
    define_workdir(values)
    return define_config(values, argv)


def info(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax info`."""
    take_run(values, rest)
    workdir, config = path_of(values, "workdir"), values["config"].value
    if (workdir is None) == (config is None):
        raise flags.Error("give a run's folder, or --config of what is to be trained")
    from gan_jax.cli import commands, information

    if workdir is not None:
        commands.info(workdir)
    else:
        information.info_of_config(config)
