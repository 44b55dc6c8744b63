"""The flags of the commands about runs and data, and their checks.

What a command needs is imported when it runs, JAX above all: help and wrong usage answer at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from absl import flags

from gan_jax.accelerators import environment
from gan_jax.cli import data_flag
from gan_jax.config.config_flag import NUMBER, source_of
from gan_jax.utils import determinism
from gan_jax.utils.checks import whole
from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded

DATA_DIR = "Default: $TFDS_DATA_DIR, else ~/tensorflow_datasets."
DETERMINISTIC = "The same bits from every run on a GPU too, at some cost of speed."


def required(values: flags.FlagValues, name: str) -> Any:
    """A flag's value; raises flags.Error if it was not given."""
    if values[name].value in (None, ""):
        raise flags.Error(f"--{name} is missing")
    return values[name].value


class _PathParser(flags.ArgumentParser[str]):
    """A path, with `~` expanded; "" is none."""

    def flag_type(self) -> str:
        return "path"

    def parse(self, argument: str) -> str:
        try:
            # What has no ~ stays as it is: NAME:SPLIT of a data set may stand here too.
            return str(expanded(argument)) if argument.startswith("~") else argument
        except UserError as error:
            raise ValueError(str(error)) from None


class _WholeNumber(flags.IntegerParser):
    """Parses a whole number in any spelling: 100000 or 1e5."""

    def convert(self, argument: int | str) -> int:
        text = str(argument)
        number = whole(float(text)) if NUMBER.fullmatch(text) and "e" in text.lower() else None
        return number if isinstance(number, int) else int(super().convert(argument))


def define_integer(
    name: str,
    default: int | None,
    about: str,
    *,
    flag_values: flags.FlagValues,
    lower_bound: int | None = None,
    upper_bound: int = 2**32 - 1,
) -> None:
    """Adds a flag that holds a whole number, by default below 2**32 as seeds are."""
    parser = _WholeNumber(lower_bound, upper_bound)
    flags.DEFINE(parser, name, default, about, flag_values=flag_values)


def define_path(values: flags.FlagValues, name: str, about: str) -> None:
    """Adds a flag that holds a path, or a path or a data set's name; text with `~` expanded, or None."""
    flags.DEFINE(_PathParser(), name, None, about, flag_values=values)


def path_of(values: flags.FlagValues, name: str) -> Path | None:
    """The path that a flag holds; None if it was not given."""
    value: str | None = values[name].value
    return Path(value) if value else None


def define_workdir(values: flags.FlagValues) -> None:
    """Adds the flag that names the run that a command is about; see `take_run`."""
    define_path(values, "workdir", "The run's folder, which may also stand without the flag.")


def take_run(values: flags.FlagValues, rest: list[str], name: str = "workdir") -> None:
    """Makes the one positional argument, if there is one, the value of the flag that names the run.

    Raises:
        flags.Error: several of them, or one beside the flag.
    """
    if rest and values[name].value:
        raise flags.Error(f"unexpected argument {rest[0]!r} beside --{name}={values[name].value}")
    no_arguments(rest[1:])
    if rest:
        values[name].parse(rest[0])


def no_arguments(rest: list[str]) -> None:
    """Raises flags.Error if there are positional arguments."""
    if rest:
        raise flags.Error(f"unexpected argument {rest[0]!r}")


def define_train(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax train`."""
    if "--dry_run" in argv and any(argument.startswith("--target") for argument in argv):
        environment.prepare()  # the config file may import JAX
    define_path(
        values,
        "workdir",
        "The run's folder, new or to be continued, which may also stand without the flag. With --data runs/ "
        "and the name of what was given, where nothing is said.",
    )
    flags.DEFINE_bool("dry_run", False, "Show what would be trained and train nothing.", flag_values=values)
    flags.DEFINE_string(
        "target",
        None,
        "With --dry_run: compile for accelerators that are not here, such as v5e:4x4 or h100:8, and show "
        "what a step would hold, move and launch there.",
        flag_values=values,
    )
    flags.DEFINE_bool("deterministic", False, DETERMINISTIC, flag_values=values)
    flags.DEFINE_bool(
        "start_anew",
        False,
        "Begin at step 0 where all checkpoints of the run are gone; what was recorded is moved aside. A run "
        "that has a checkpoint is continued all the same.",
        flag_values=values,
    )
    define_integer(
        "devices", 0, "How many devices of a host to use; 0 for all.", lower_bound=0, flag_values=values
    )
    _define_hosts(values)
    return data_flag.define(values, argv)


def train(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax train`."""
    take_run(values, rest)
    config = values.config
    if not config:
        raise flags.Error("--config is missing, or --data and a folder of pictures")
    if values.target is not None and not values.dry_run:
        raise flags.Error(f"--target={values.target}: nothing can be trained there; add --dry_run")
    if values.target is not None and values.devices:
        raise flags.Error(
            f"--devices={values.devices} beside --target={values.target}: the target says how many"
        )
    if not values.workdir:
        values["workdir"].value = data_flag.workdir(values)
    workdir = None if values.dry_run else Path(required(values, "workdir"))
    if values.deterministic:
        determinism.demand()
    data_flag.say(values, workdir)
    if values.target is not None:
        from gan_jax.cli import targets

        targets.dry_run_for(config, values.target)
        return
    from gan_jax.cli import commands

    if workdir is None:
        commands.dry_run(config, values.devices)
    else:
        from gan_jax.distributed import hosts

        with hosts.connected(
            values.coordinator,
            values.num_processes,
            values.process_id,
            connect_seconds=values.connect_seconds,
            lost_seconds=values.lost_seconds,
            stalled_seconds=values.stalled_seconds,
        ) as together:
            commands.train(config, workdir, values.devices, together, source_of(values), values.start_anew)


def _define_hosts(values: flags.FlagValues) -> None:
    """Adds the flags of a training on several hosts."""
    flags.DEFINE_string(
        "coordinator",
        None,
        "HOST:PORT at which process 0 listens, to train with several processes. Found by itself on SLURM, "
        "Open MPI 4 and TPU VMs.",
        flag_values=values,
    )
    for name, default, least, about in (
        ("num_processes", None, 1, "How many processes train together; 1: this one alone."),
        ("process_id", None, 0, "Which of them this is, 0 to N - 1."),
        ("connect_seconds", 120, 1, "How long to wait for the other processes."),
        ("lost_seconds", 30, 3, "A process without a sign of life is lost."),
        ("stalled_seconds", 600, 5, "A process that lives and does not go on is hung."),
    ):
        define_integer(name, default, about, lower_bound=least, flag_values=values)


def define_direction(values: flags.FlagValues) -> None:
    """Adds the flag that says which way a method translates that makes pictures of pictures."""
    flags.DEFINE_enum(
        "direction",
        None,
        ["a_to_b", "b_to_a"],
        "Of a run that translates: a_to_b makes images of sources, b_to_a sources of images. Default: the "
        "run's first.",
        flag_values=values,
    )


def define_checkpoint(values: flags.FlagValues) -> None:
    """Adds the flags that choose a run's checkpoint; the newest without them."""
    define_integer("step", None, "The checkpoint of this step.", lower_bound=0, flag_values=values)
    flags.DEFINE_bool("best", False, "The checkpoint with the best score.", flag_values=values)


def check_checkpoint(values: flags.FlagValues) -> None:
    """Raises flags.Error where `define_checkpoint`'s flags contradict each other."""
    if values.best and values.step is not None:
        raise flags.Error(f"--best and --step={values.step}: give one of them")


def define_data(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax data`."""
    define_path(values, "from", "A folder that has the files; otherwise download.")
    define_path(values, "data_dir", DATA_DIR)
    return argv


def data(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax data prepare NAME`."""
    if len(rest) != 2 or rest[0] != "prepare":
        raise flags.Error("usage: gan-jax data prepare NAME [--from FOLDER] [--data_dir FOLDER]")
    from gan_jax.cli import commands

    commands.prepare(rest[1], data_dir=values.data_dir, source=values["from"].value)


def define_study(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax study`."""
    define_path(values, "out", "Where results go; by default the study's folder.")
    flags.DEFINE_string("shard", "1/1", "INDEX/COUNT: only this part of the runs.", flag_values=values)
    flags.DEFINE_bool(
        "merge", False, "Train nothing; join the shards' results and write the report.", flag_values=values
    )
    define_integer("seeds", None, "Only the first so many seeds.", lower_bound=1, flag_values=values)
    flags.DEFINE_list("only", [], "Only these variants, with commas between.", flag_values=values)
    flags.DEFINE_bool("dry_run", False, "Show what would be trained and train nothing.", flag_values=values)
    flags.DEFINE_bool("deterministic", False, DETERMINISTIC, flag_values=values)
    return argv


def study(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax study FOLDER`."""
    if len(rest) != 1:
        raise flags.Error("usage: gan-jax study FOLDER [--out FOLDER] [--shard 3/16] [--merge]")
    if values.deterministic:
        determinism.demand()
    from gan_jax.study import command

    command.run(
        expanded(rest[0]),
        out=path_of(values, "out"),
        shard=values.shard,
        merge=values.merge,
        seeds=values.seeds,
        only=tuple(values.only),
        dry_run=values.dry_run,
    )
