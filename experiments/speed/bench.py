"""What the benchmark does, once its flags are read: measures, prints and writes the report."""

from __future__ import annotations

import datetime
import json
import os
import shlex
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.speed import machine, works
from experiments.speed.contenders import CONTENDERS
from experiments.speed.counts import step_bytes, step_flops
from experiments.speed.measure import Match, Rounds, best_peaks, measure_peaks, read_packages
from experiments.speed.process import ROOT, WAITING
from experiments.speed.report import markdown, table
from experiments.speed.works import WORKS, Work
from gan_jax.utils.errors import UserError

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Options:
    """What is measured.

    Attributes:
        works: names; empty for those that suit the machine.
        contenders: names; empty for those that are measured by default.
        batches: sizes, in the place of the works' own.
        rounds: how long.
        starts: where starts are timed: "first", at each work's first batch size; "all"; "none".
        out: path of the results, without suffix; None for results/<hardware>-<date> if everything is
            measured, and nothing written otherwise.
    """

    works: tuple[str, ...] = ()
    contenders: tuple[str, ...] = ()
    batches: tuple[int, ...] = ()
    rounds: Rounds = field(default_factory=Rounds)
    starts: str = "first"
    out: Path | None = None


def check_names(given: tuple[str, ...], table: dict[str, Any], flag: str) -> None:
    """Raises a UserError at the first name that is not in the table."""
    for name in given:
        if name not in table:
            raise UserError(f"--{flag}={name}: it is not one of {', '.join(table)}")


def check(options: Options) -> None:
    """Raises a UserError for what cannot be measured."""
    check_names(options.works, WORKS, "works")
    check_names(options.contenders, CONTENDERS, "contenders")
    if any(batch < 2 for batch in options.batches):
        raise UserError(f"--batches={','.join(map(str, options.batches))}: each must be at least 2")
    if not options.rounds.seconds > 0:
        raise UserError(f"--seconds={options.rounds.seconds}: it must be above 0")


def say(text: str) -> None:
    """Progress, to stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def measure(work: Work, batch: int, names: list[str], options: Options, on_gpu: bool) -> dict[str, Any]:
    """One work at one batch size."""
    timed = options.starts == "all" or (options.starts == "first" and batch == work.batch_sizes[0])
    match = Match(work, batch, names, on_gpu=on_gpu, say=say)
    try:
        match.start(timed=timed)
        match.play(options.rounds)
    finally:
        match.stop()
    counted = {
        name: entry["parameters"]
        for name, entry in match.found.items()
        if entry.get("parameters") is not None
    }
    first: dict[str, int] = next(iter(counted.values()), {})
    for name, parameters in counted.items():
        if parameters != first:  # the report must not be read without this
            match.found[name]["error"] = f"does other work: {parameters} parameters, not {first}"
    return {
        "work": work.name,
        "about": work.about,
        "batch": batch,
        "critic_steps": work.critic_steps,
        "flops": step_flops(work, batch),
        "bytes": step_bytes(work, batch),
        "parameters": sum(first.values()),
        "contenders": match.found,
    }


def write(results: dict[str, Any], out: Path | None) -> None:
    """The report in both forms, over what was there."""
    if out is None:
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_name(f"{out.name}.json").write_text(json.dumps(results, indent=1) + "\n")
    out.with_name(f"{out.name}.md").write_text(markdown(results))


def run(options: Options) -> None:
    """Measures everything that was asked for; the results so far are written after each table.

    Raises:
        UserError: an unknown name, a number out of its range.
    """
    check(options)
    begun = time.monotonic()
    found = machine.hardware()
    on_gpu = bool(found["gpus"])
    default = works.ON_GPU if on_gpu else works.ON_CPU
    names = list(options.contenders) or [
        name for name, x in CONTENDERS.items() if x.default and (on_gpu or not x.gpu_only)
    ]
    date = datetime.date.today().isoformat()
    whole = not (options.works or options.contenders or options.batches)
    out = options.out or (RESULTS / f"{machine.slug(found)}-{date}" if whole else None)
    say("measuring the peaks of matrix products and memory")
    read_packages(names)
    by = measure_peaks(say)
    results: dict[str, Any] = {
        "date": date,
        "command": shlex.join(["gan-jax", *sys.argv[1:]]),
        "hardware": found,
        "waiting": os.environ.get("OMP_WAIT_POLICY", WAITING["OMP_WAIT_POLICY"]),
        "versions": machine.versions(ROOT),
        "peaks_by": by,
        "peaks": best_peaks(by),
        "contenders": names,
        "matches": [],
    }
    for work in (WORKS[name] for name in options.works or default):
        for batch in options.batches or work.batch_sizes:
            match = measure(work, batch, names, options, on_gpu)
            results["matches"].append(match)
            results["minutes"] = (time.monotonic() - begun) / 60
            sys.stdout.write(table(match, results["peaks"]) + "\n")
            sys.stdout.flush()
            write(results, out)
    sys.stdout.write(f"{results['minutes']:.1f} minutes; written to {out}.json and .md\n" if out else "")
