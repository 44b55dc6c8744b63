"""The command line: flags, and what each command prints. See `gan-jax --help`.

Exit codes: 0 done; 1 something the user can mend, said in one line; 2 wrong usage; 130 (Ctrl-C) or
143 (SIGTERM) stopped early with everything saved: the same command continues.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from absl import flags, logging
from ml_collections import config_flags

from gan_jax import commands
from gan_jax.errors import UserError
from gan_jax.interrupt import Interrupted

USAGE = """\
usage: gan-jax COMMAND [--flag=value ...]

  gan-jax train --config configs/dcgan_fashion_mnist.py --workdir runs/x [--config.seed=1 ...]
  gan-jax sample --workdir runs/x --num 64 --seed 0 --out grid.png [--label 7]
  gan-jax info --workdir runs/x
  gan-jax data prepare fashion_mnist [--from FOLDER]

{commands}

gan-jax COMMAND --help lists a command's flags. Exit codes: 0 done; 1 an error, said in one line;
2 wrong usage; 130 (Ctrl-C) or 143 (SIGTERM) stopped early with everything saved.
"""


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        about: a line for the help.
        define: adds the command's flags.
        run: takes the parsed flags and the positional arguments.
    """

    about: str
    define: Callable[[flags.FlagValues, list[str]], None]
    run: Callable[[flags.FlagValues, list[str]], None]


def _train_flags(values: flags.FlagValues, argv: list[str]) -> None:
    config_flags.DEFINE_config_file(
        "config",
        help_string="The config file; any of its fields can be set with --config.field=value.",
        flag_values=values,
        sys_argv=argv,
    )
    flags.DEFINE_string("workdir", None, "The run's folder.", flag_values=values)
    flags.DEFINE_bool("dry_run", False, "Show what would be trained and train nothing.", flag_values=values)


def _train(values: flags.FlagValues, rest: list[str]) -> None:
    _no_arguments(rest)
    config = _required(values, "config")
    if values.dry_run:
        commands.dry_run(config)
    else:
        commands.train(config, Path(_required(values, "workdir")))


def _sample_flags(values: flags.FlagValues, argv: list[str]) -> None:
    flags.DEFINE_string("workdir", None, "The run's folder.", flag_values=values)
    flags.DEFINE_integer("num", 64, "How many images.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("seed", 0, "Of the latents.", lower_bound=0, flag_values=values)
    flags.DEFINE_string("out", None, "The PNG to write.", flag_values=values)
    flags.DEFINE_integer("label", None, "The class, where the run is conditional.", flag_values=values)


def _sample(values: flags.FlagValues, rest: list[str]) -> None:
    _no_arguments(rest)
    commands.sample(
        Path(_required(values, "workdir")),
        num=values.num,
        seed=values.seed,
        out=Path(_required(values, "out")),
        label=values.label,
    )


def _info_flags(values: flags.FlagValues, argv: list[str]) -> None:
    flags.DEFINE_string("workdir", None, "The run's folder.", flag_values=values)


def _info(values: flags.FlagValues, rest: list[str]) -> None:
    _no_arguments(rest)
    commands.info(Path(_required(values, "workdir")))


def _data_flags(values: flags.FlagValues, argv: list[str]) -> None:
    flags.DEFINE_string("from", None, "A folder that has the files; otherwise download.", flag_values=values)
    flags.DEFINE_string(
        "data_dir", None, "Default: $TFDS_DATA_DIR, else ~/tensorflow_datasets.", flag_values=values
    )


def _data(values: flags.FlagValues, rest: list[str]) -> None:
    if len(rest) != 2 or rest[0] != "prepare":
        raise flags.Error("usage: gan-jax data prepare NAME [--from FOLDER] [--data_dir FOLDER]")
    commands.prepare(rest[1], data_dir=values.data_dir, source=values["from"].value)


COMMANDS = {
    "train": Command("train a run, or continue it", _train_flags, _train),
    "sample": Command("draw pictures from a run", _sample_flags, _sample),
    "info": Command("show a run: config, networks, progress, checkpoints", _info_flags, _info),
    "data": Command("get and prepare a data set", _data_flags, _data),
}


def _required(values: flags.FlagValues, name: str) -> Any:
    if values[name].value is None:
        raise flags.Error(f"--{name} is missing")
    return values[name].value


def _no_arguments(rest: list[str]) -> None:
    if rest:
        raise flags.Error(f"unexpected argument {rest[0]!r}")


def main(argv: list[str]) -> int:
    """Runs one command line (without the program's name) and returns its exit code."""
    if not argv or argv[0] in ("--help", "-h", "help"):
        listed = "\n".join(f"  {name:8s}{command.about}" for name, command in COMMANDS.items())
        sys.stdout.write(USAGE.format(commands=listed))
        return 0 if argv else 2
    if argv[0] not in COMMANDS:
        return _fail(f"unknown command {argv[0]!r}; the commands are {', '.join(COMMANDS)}", 2)
    command = COMMANDS[argv[0]]
    values = flags.FlagValues()
    flags.DEFINE_bool("help", False, "Show this help.", short_name="h", flag_values=values)
    flags.DEFINE_bool("traceback", False, "Show the traceback of an error.", flag_values=values)
    traceback = any(arg.lstrip("-") in ("traceback", "traceback=true") for arg in argv)
    try:
        command.define(values, ["gan-jax", *argv[1:]])
        rest = values(["gan-jax", *argv[1:]])[1:]
        if values.help:
            sys.stdout.write(f"gan-jax {argv[0]}: {command.about}\n{values.get_help()}\n")
            return 0
        command.run(values, rest)
        return 0
    except Interrupted as stop:
        return _fail(str(stop), 128 + stop.signum)
    except KeyboardInterrupt:
        return _fail("stopped; what was saved before stays", 130)
    except Exception as error:
        if traceback:
            raise
        return _explain(error, argv[0])


def _explain(error: Exception, command: str) -> int:
    """The exit code for an error, after one line about it."""
    if isinstance(error, UserError):
        return _fail(str(error), 1)
    if isinstance(error, flags.Error):
        return _fail(f"{error}; see gan-jax {command} --help", 2)
    if isinstance(error, OSError):
        return _fail(f"{error.strerror or error}: {error.filename or ''}", 1)
    # An unknown or ill-typed config field reaches us as what ml_collections happened to raise.
    if isinstance(error, (AttributeError, KeyError, TypeError, ValueError)) and _from_config(error):
        return _fail(f"the config: {str(error).strip(chr(34))}", 2)
    raise error


def _from_config(error: Exception) -> bool:
    frame = error.__traceback__
    names = []
    while frame is not None:
        names.append(frame.tb_frame.f_globals.get("__name__", ""))
        frame = frame.tb_next
    return any(name.startswith("ml_collections") for name in names)


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"gan-jax: {message}\n")
    return code


def cli() -> None:
    """The console command."""
    logging.set_verbosity(logging.WARNING)
    logging.use_absl_handler()
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    if code:
        os._exit(code)  # background threads of a failed save must not hold up the end


if __name__ == "__main__":
    cli()
