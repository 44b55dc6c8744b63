"""Compiles every shipped config and every published network for six targets; writes table.md.

    python experiments/accelerators/run.py [--minutes 60] [--targets h100,v5e:2x2] [--configs NAME,NAME]
    [--changes field=value ...]

Each program has a process of its own, and a line of results.jsonl as soon as it is compiled: what is there
already is not compiled again, so the same command goes on where it was stopped. `--table` compiles nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from experiments.accelerators.tables import report  # noqa: E402
from gan_jax.utils import files  # noqa: E402

TARGETS = ("h100", "v5e:2x2", "h100:8", "v5e:16x16", "v6e:2x2", "v4:2x2x1")
# Published networks first, of the others the ones that differ most.
FIRST = (
    "dcgan_fashion_mnist",
    "wgan_gp_mnist",
    "sngan_mnist",
    "acgan_mnist",
    "r3gan_mnist",
    "dcgan_radford_64",
)
PRESETS = {
    "stylegan2_paper": ("cifar", "paper256"),
    "r3gan_paper": ("cifar10", "ffhq64", "ffhq256"),
}
RESULTS = HERE / "results.jsonl"


def names() -> list[str]:
    """All configs, with the presets of those that have some."""
    shipped = sorted(file.stem for file in (HERE.parents[1] / "configs").glob("*.py"))
    found = [f"{name}:{preset}" for name in shipped for preset in PRESETS.get(name, ("",))]
    found = [name.removesuffix(":") for name in found]
    return sorted(found, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))


def rows() -> list[dict[str, Any]]:
    """What was compiled so far."""
    return [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []


def as_values(changes: list[str]) -> dict[str, Any]:
    """Of "field=value", values as JSON."""
    return {field: json.loads(value) for field, _, value in (one.partition("=") for one in changes)}


def compile_one(name: str, target: str, changes: list[str], seconds: float) -> dict[str, Any]:
    """The row of a program, from a process that may fail or take too long."""
    command = [sys.executable, str(HERE / "program.py"), name, target, *changes]
    asked = {"config": name, "target": target, "changes": as_values(changes)}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return {**asked, "error": f"not compiled after {seconds:.0f} s"}
    if done.returncode or not done.stdout.strip():
        words = (done.stderr.strip().splitlines() or ["no word"])[-1][:300]
        return {**asked, "error": f"exit code {done.returncode}: {words}"}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=1e6, help="begin no program after so many")
    parser.add_argument("--most", type=float, default=3600.0, help="seconds that a program may take")
    parser.add_argument("--targets", default=",".join(TARGETS))
    parser.add_argument("--configs", default=",".join(names()))
    parser.add_argument("--changes", nargs="*", default=[], help="fields of the config, values as JSON")
    parser.add_argument("--table", action="store_true", help="compile nothing")
    args = parser.parse_args()
    os.nice(5)
    end = time.monotonic() + 60 * args.minutes
    changes = as_values(args.changes)
    done = [(row["config"], row["target"], row.get("changes", {})) for row in rows()]
    wanted = [(name, target) for target in args.targets.split(",") for name in args.configs.split(",")]
    for name, target in [] if args.table else wanted:
        if (name, target, changes) in done or time.monotonic() > end:
            continue
        row = compile_one(name, target, args.changes, args.most)
        with RESULTS.open("a") as file:
            file.write(f"{json.dumps(row)}\n")
        words = row["error"] if "error" in row else f"{row['seconds']} s"
        sys.stderr.write(f"{name} for {target}: {words}\n")
    files.write_atomically(HERE / "table.md", report(rows(), names(), TARGETS).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
