"""The command line. See `gan-jax --help`.

Nothing that is imported here imports JAX or anything else that takes long: what a command needs is imported
when it runs. So help, and most wrong usage, is answered at once.

Exit codes: 0 done; 1 something the user can mend, said in one line; 2 wrong usage; 129 (SIGHUP),
130 (Ctrl-C) or 143 (SIGTERM) stopped early with everything saved: the same command continues; 141 nobody
reads the output.
"""

from __future__ import annotations

import contextlib
import os
import sys
import textwrap
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from absl import flags, logging

from gan_jax import __version__
from gan_jax.cli import (
    augment_flags,
    command_flags,
    evaluation_flags,
    explore_flags,
    export_flags,
    info_flags,
    latent_flags,
    level_flags,
    neighbours_flags,
    report_flags,
    sample_flags,
    shipped_flags,
    translation_flags,
)
from gan_jax.config.config_flag import OVERRIDE, help_of_fields, unknown_flag
from gan_jax.utils import compilation_cache, streams, uncaught
from gan_jax.utils.errors import UserError
from gan_jax.utils.interrupt import Interrupted, answer_signals
from gan_jax.utils.memory import check_start, is_out_of_memory, out_of_memory
from gan_jax.utils.names import did_you_mean, without_addresses

USAGE = """\
usage: gan-jax COMMAND [--flag=value ...]

  gan-jax train --config dcgan_fashion_mnist --workdir runs/x [--config.seed=1 ...]
  gan-jax train --data FOLDER [runs/x]
  gan-jax sample runs/x --num 64 --seed 0 --out grid.png [--label NAME]
  gan-jax translate runs/x --input photos --out made [--direction b_to_a]
  gan-jax interpolate runs/x --seeds 0-3 --out way.gif
  gan-jax mix runs/x --rows 0-3 --columns 10-15 --out mixed.png
  gan-jax project runs/x --input photos --out found
  gan-jax walk runs/x --out directions.png
  gan-jax explore runs/x [--port 8417]
  gan-jax neighbours runs/x --out neighbours.png
  gan-jax levels runs/x --num 20 --out levels
  gan-jax augment runs/x --per_class 500 --out generated
  gan-jax export runs/x --out model [--formats stablehlo,safetensors,onnx]
  gan-jax info runs/x
  gan-jax info --config pix2pix_paper
  gan-jax configs [srgan]
  gan-jax evaluate runs/x --metrics fid,kid,prdc [--real fashion_mnist:test --num 10000]
  gan-jax scores runs/x runs/y
  gan-jax compare runs/x runs/y --out compare.html
  gan-jax report runs/x [--out report.html]
  gan-jax study experiments/mode_collapse/ring [--shard=3/16 | --merge]
  gan-jax train-classifier fashion_mnist
  gan-jax data prepare fashion_mnist [--from FOLDER]
  gan-jax --version

{commands}

gan-jax COMMAND --help lists a command's flags.
Exit codes: 0 done; 1 an error, said in one line; 2 wrong usage; 129 (SIGHUP), 130 (Ctrl-C) or
143 (SIGTERM) stopped early with everything saved.
"""
LIGHT = ("info", "configs", "scores", "data", "report")  # the commands that compute next to nothing
BROKEN_PIPE = 141  # the exit code of a program that SIGPIPE ends


_LONG = 500  # characters of an error that nobody foresaw


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        about: a line for the help.
        define: adds the command's flags; takes the command line and returns what is left to parse.
        run: takes the parsed flags and the positional arguments; imports what the command needs.
        example: for the help, where an example says more than the flags.
    """

    about: str
    define: Callable[[flags.FlagValues, list[str]], list[str]]
    run: Callable[[flags.FlagValues, list[str]], None]
    example: str = ""


COMMANDS = {
    "train": Command("train a run, or continue it", command_flags.define_train, command_flags.train),
    "sample": Command("draw pictures from a run", sample_flags.define_sample, sample_flags.sample),
    "translate": Command(
        "make pictures of pictures with a run",
        translation_flags.define_translate,
        translation_flags.translate,
        translation_flags.EXAMPLE,
    ),
    "interpolate": Command(
        "lead from picture to picture, in a picture or a film",
        latent_flags.define_interpolate,
        latent_flags.interpolate,
    ),
    "mix": Command("mix the styles of pictures", latent_flags.define_mix, latent_flags.mix),
    "project": Command(
        "find the latents of given pictures", latent_flags.define_project, latent_flags.project
    ),
    "walk": Command(
        "walk along the directions in which pictures change most", latent_flags.define_walk, latent_flags.walk
    ),
    "explore": Command(
        "show a run as a page with sliders, on this machine",
        explore_flags.define_explore,
        explore_flags.explore,
        explore_flags.EXAMPLE,
    ),
    "neighbours": Command(
        "show drawn pictures beside the nearest training pictures",
        neighbours_flags.define_neighbours,
        neighbours_flags.neighbours,
    ),
    "levels": Command(
        "draw levels of a game, or search for some, as texts and pictures",
        level_flags.define_levels,
        level_flags.levels,
        level_flags.EXAMPLE,
    ),
    "augment": Command(
        "draw so many pictures of each class, to train a classifier on",
        augment_flags.define_augment,
        augment_flags.augment,
        augment_flags.EXAMPLE,
    ),
    "export": Command(
        "make files of a run's generator that need no gan_jax",
        export_flags.define_export,
        export_flags.export,
        export_flags.EXAMPLE,
    ),
    "info": Command(
        "show a run, or what a config costs: networks, progress, memory, operations",
        info_flags.define_info,
        info_flags.info,
        info_flags.EXAMPLE,
    ),
    "configs": Command(
        "list the shipped configs: what they need and how long they take",
        shipped_flags.define_configs,
        shipped_flags.configs,
        shipped_flags.EXAMPLE,
    ),
    "evaluate": Command(
        "score generated images against real ones",
        evaluation_flags.define_evaluate,
        evaluation_flags.evaluate,
    ),
    "scores": Command("show a table of scores", evaluation_flags.define_scores, evaluation_flags.scores),
    "compare": Command(
        "show runs beside each other: curves, samples, configs, scores",
        report_flags.define_compare,
        report_flags.compare,
        report_flags.COMPARE,
    ),
    "report": Command(
        "write a page about a run or a study",
        report_flags.define_report,
        report_flags.report,
        report_flags.REPORT,
    ),
    "study": Command(
        "train variants of a config from many seeds, and compare them",
        command_flags.define_study,
        command_flags.study,
    ),
    "train-classifier": Command(
        "train the in-domain feature network of a data set",
        evaluation_flags.define_train_classifier,
        evaluation_flags.train_classifier,
    ),
    "data": Command("get and prepare a data set", command_flags.define_data, command_flags.data),
}


def main(argv: list[str], prepare: Callable[[], None] = lambda: None) -> int:
    """Runs one command line (without the program's name) and returns its exit code.

    `prepare` is called before a command is run, but for help and where the flags are wrong.
    """
    try:
        if not argv or argv[0] in ("--help", "-h", "help"):
            listed = "\n".join(f"  {name:17s}{command.about}" for name, command in COMMANDS.items())
            sys.stdout.write(USAGE.format(commands=listed))
            return 0 if argv else 2
        if argv[0] == "--version":
            sys.stdout.write(f"gan-jax {__version__}\n")
            return 0
        if argv[0] not in COMMANDS:
            meant = did_you_mean(argv[0], COMMANDS)
            return _fail(f"unknown command {argv[0]!r}{meant}; the commands are {', '.join(COMMANDS)}", 2)
        return _run(argv[0], argv[1:], prepare)
    except Interrupted as stop:
        return _fail(str(stop), 128 + stop.signum)
    except KeyboardInterrupt:
        return _fail("stopped; what was saved before stays", 130)
    except BrokenPipeError as error:
        return _unwritable(error)
    except Exception as error:
        if _wants_traceback(argv):
            raise
        return _explain(error, argv[0])


def _wants_traceback(argv: list[str]) -> bool:
    return any(arg.lstrip("-") in ("traceback", "traceback=true") for arg in argv)


def _explain(error: Exception, command: str) -> int:
    """Says an error in a line; returns the exit code."""
    if isinstance(error, UserError):
        return _fail(str(error), 1)
    if isinstance(error, flags.Error):
        return _fail(f"{error}; see gan-jax {command} --help", 2)
    if is_out_of_memory(error):
        return _fail(str(out_of_memory(error, "ask for less, or let other programs end first")), 1)
    if isinstance(error, OSError):
        return _fail(f"{error.filename or 'the system'}: {error.strerror or error}", 1)
    ours = [f for f in traceback.extract_tb(error.__traceback__) if "gan_jax" in Path(f.filename).parts]
    where = f" ({Path(ours[-1].filename).name}, line {ours[-1].lineno})" if ours else ""
    what = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:_LONG]}"
    return _fail(f"unexpected {what}{where}. The same command with --traceback shows the rest", 1)


def _run(name: str, arguments: list[str], prepare: Callable[[], None]) -> int:
    """Parses the flags of a command and runs it."""
    command = COMMANDS[name]
    if name not in LIGHT and arguments and not {"--help", "-h"} & set(arguments):
        check_start()
    values = flags.FlagValues()
    flags.DEFINE_bool("help", False, "Show this help.", short_name="h", flag_values=values)
    flags.DEFINE_bool("traceback", False, "Show the traceback of an error.", flag_values=values)
    values.set_gnu_getopt()
    try:
        rest = values(command.define(values, [f"gan-jax {name}", *arguments]))[1:]
    except flags.UnrecognizedFlagError as error:
        raise flags.Error(unknown_flag(values, error.flagname)) from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # absl raises flags.Error; ml_collections, while it sets a field, whatever came up.
        if name not in ("train", "info"):
            raise
        raise flags.Error(f"--config.field=value: {error}") from error
    if values.help:
        about = f"gan-jax {name}: {command.about}\n\n{command.example}{_listed(values)}\n"
        sys.stdout.write(about + help_of_fields(values))
    else:
        prepare()
        command.run(values, rest)
    return 0


def _listed(values: flags.FlagValues) -> str:
    """A line or two about each flag."""
    lines = []
    for name in sorted(set(values) - {"h", *flags.FlagValues()}):
        if OVERRIDE.match(f"--{name}"):
            continue
        flag = values[name]
        default = f" Default: {flag.default}." if type(flag.default) in (int, float) else ""
        shown = f"--{name}" if flag.boolean else f"--{name}=..."
        indent = " " * 18
        lines.append(textwrap.fill(f"  {shown:15s} {flag.help}{default}", 100, subsequent_indent=indent))
    return "\n".join(lines)


def _unwritable(error: OSError) -> int:
    """The exit code where standard output cannot be written; who closes it early, as head does, knows it."""
    if isinstance(error, BrokenPipeError):
        return BROKEN_PIPE
    return _fail(f"standard output: {error.strerror}", 1)


def _fail(message: str, code: int) -> int:
    message = without_addresses(message)
    with contextlib.suppress(OSError):  # nobody reads it, or there is no room for it
        sys.stderr.write(f"gan-jax: {'; '.join(message.splitlines())}\n")
    return code


def cli() -> None:
    """The console command, which `gan_jax.__main__` starts."""
    streams.make_safe()
    answer_signals()
    flags.FLAGS.mark_as_parsed()  # absl's own, without which it announces that they are not
    logging.set_verbosity(logging.WARNING)
    logging.use_absl_handler()
    logging.get_absl_handler().setFormatter(uncaught.OneLine())
    if not _wants_traceback(sys.argv):
        uncaught.tell_in_a_line()
    code = main(sys.argv[1:], prepare=compilation_cache.enable)
    try:
        sys.stdout.flush()
    except OSError as error:
        code = code or _unwritable(error)
    sys.stderr.flush()
    # Nothing is left to be done: neither threads of a failed save nor a late signal shall change the code.
    os._exit(code)


if __name__ == "__main__":
    cli()
