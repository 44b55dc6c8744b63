"""gan-jax study: its flags, and what it prints."""

from __future__ import annotations

import sys
from pathlib import Path

from absl import flags

from gan_jax import parallel
from gan_jax.errors import UserError
from gan_jax.study.results import RESULTS, Shard
from gan_jax.study.runner import Runner
from gan_jax.study.study import open_study


def define(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags."""
    flags.DEFINE_string("out", None, "Where results go; by default the study's folder.", flag_values=values)
    flags.DEFINE_string("shard", "1/1", "INDEX/COUNT: only this part of the runs.", flag_values=values)
    flags.DEFINE_bool(
        "merge", False, "Train nothing; join the shards' results and write the report.", flag_values=values
    )
    flags.DEFINE_integer("seeds", None, "Only the first so many seeds.", lower_bound=1, flag_values=values)
    flags.DEFINE_list("only", [], "Only these variants, with commas between.", flag_values=values)
    flags.DEFINE_bool("dry_run", False, "Show what would be trained and train nothing.", flag_values=values)
    return argv


def run(values: flags.FlagValues, rest: list[str]) -> None:
    """gan-jax study FOLDER."""
    if len(rest) != 1:
        raise flags.Error("usage: gan-jax study FOLDER [--out FOLDER] [--shard 3/16] [--merge]")
    parallel.use_all_cores()
    folder = Path(rest[0])
    out = Path(values.out) if values.out else folder
    shard = Shard.parse(values.shard)
    runner = Runner(open_study(folder), out, shard, seeds=values.seeds, only=tuple(values.only))
    if values.dry_run:
        sys.stdout.write(f"{runner.plan()}\nnothing was trained\n")
        return
    if not values.merge:
        runner.run()
        if shard.count > 1:
            sys.stdout.write(f"shard {values.shard} is done; when all are: gan-jax study {folder} --merge\n")
            return
    there = runner.report(folder.resolve().name, f"gan-jax study {folder}")
    if values.merge and runner.left:
        raise UserError(
            f"{there} are there, and the report in {out} is of these; missing are "
            f"{', '.join(run.name for run in runner.left[:5])}"
            + (f" and {len(runner.left) - 5} more" if len(runner.left) > 5 else "")
        )
    sys.stdout.write(f"{there} in {out / RESULTS}; the report: {out / 'report.md'}\n")
