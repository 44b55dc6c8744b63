"""The flags of `gan-jax report` and `gan-jax compare`, and their checks."""

from __future__ import annotations

from absl import flags

from gan_jax.cli.command_flags import define_integer, define_path, path_of
from gan_jax.utils.paths import expanded

REPORT = """\
What a run or a study is and how it went, as one HTML file that needs nothing else: send it, open it on a
phone. A training and a study write one at their ends; this makes it anew, also while a run trains.

  gan-jax report runs/x
  gan-jax report experiments/mode_collapse/ring --out ring.html

"""
COMPARE = """\
Curves in common panels, samples side by side, the fields in which the configs differ, and scores where there
are any.

  gan-jax compare runs/x runs/y --out compare.html
  gan-jax compare runs/* --out compare.png --seed 0

"""


def define_report(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax report`."""
    define_path(values, "out", "The page to write, .html. Default: report.html in the run's folder.")
    return argv


def report(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax report FOLDER`."""
    if len(rest) != 1:
        raise flags.Error("usage: gan-jax report FOLDER [--out report.html], the folder of a run or a study")
    from gan_jax.cli import reporting

    reporting.report(expanded(rest[0]), path_of(values, "out"))


def define_compare(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags of `gan-jax compare`."""
    define_path(values, "out", "What to write: a page, .html, or a picture, .png.")
    define_integer(
        "seed",
        None,
        "Draw samples of each run's newest checkpoint, from the latents of this seed. Default: the newest "
        "pictures in the runs' folders, from the latents of each run's own seed.",
        lower_bound=0,
        flag_values=values,
    )
    return argv


def compare(values: flags.FlagValues, rest: list[str]) -> None:
    """Runs `gan-jax compare RUN...`."""
    out = path_of(values, "out")
    if len(rest) < 2 or out is None:
        raise flags.Error("usage: gan-jax compare RUN RUN... --out compare.html (or .png)")
    from gan_jax.cli import reporting

    reporting.compare([expanded(path) for path in rest], out, values.seed)
