"""The command `gan-jax study`, after its flags are parsed."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from gan_jax.distributed import parallel
from gan_jax.study.results import RESULTS, Shard
from gan_jax.study.runner import Runner
from gan_jax.study.study import open_study
from gan_jax.utils.errors import UserError


def run(
    folder: Path,
    *,
    out: Path | None,
    shard: str,
    merge: bool,
    seeds: int | None,
    only: tuple[str, ...],
    dry_run: bool,
) -> None:
    """gan-jax study.

    Args:
        folder: it holds the study.
        out: where results go; None for `folder`.
        shard: "INDEX/COUNT", the part of the runs that is trained here.
        merge: train nothing, join the shards' results and write the report.
        seeds: only the first so many; None for all.
        only: only these variants; empty for all.
        dry_run: show what would be trained and train nothing.

    Raises:
        UserError: there is no such study, variant or shard; or, to be merged, not every run's result.
    """
    parallel.use_all_cores()
    command = ["gan-jax", "study", str(folder), *([f"--out={out}"] if out else [])]
    command += [*([f"--seeds={seeds}"] if seeds else []), *([f"--only={','.join(only)}"] if only else [])]
    out = out or folder
    part = Shard.parse(shard)
    runner = Runner(open_study(folder), out, part, seeds=seeds, only=only)
    if dry_run:
        sys.stdout.write(f"{runner.plan()}\nnothing was trained\n")
        return
    if not merge:
        runner.run()
        if part.count > 1:
            sys.stdout.write(f"shard {shard} is done; when all are: {shlex.join([*command, '--merge'])}\n")
            return
    there = runner.report(folder.resolve().name, shlex.join(command))
    if merge and runner.left:
        raise UserError(
            f"{there} are there, and the report in {out} is of these; missing are "
            f"{', '.join(run.name for run in runner.left[:5])}"
            + (f" and {len(runner.left) - 5} more" if len(runner.left) > 5 else "")
        )
    sys.stdout.write(
        f"{there} in {out / RESULTS}; the report: {out / 'report.md'}, as a page {out / 'report.html'}\n"
    )
