"""Do generated pictures help a classifier of an unbalanced or small set? Results, a table and a figure.

    gan-jax data prepare fashion_mnist
    python experiments/balance/run.py

Generators are trained in the folder of `--work` and continue there; each measured classifier is a line of
results.jsonl, and what is there is not measured again. So the same command goes on where it was stopped.
`--minutes` begins nothing new after so many; `--report` trains nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from experiments.balance import design  # noqa: E402
from experiments.balance.report import write_report  # noqa: E402
from gan_jax import data  # noqa: E402
from gan_jax.cli.augmenting import augment  # noqa: E402
from gan_jax.evaluation.balance import Extra, measure, read_extra  # noqa: E402
from gan_jax.training.train import train  # noqa: E402
from gan_jax.utils import compilation_cache  # noqa: E402

RESULTS = HERE / "results.jsonl"
DATA = "fashion_mnist"
KEPT = ("balanced_accuracy", "accuracy", "recall", "rare_classes", "rare_recall", "seconds", "training")


def rows() -> list[dict[str, Any]]:
    """What was measured so far."""
    return [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []


def key_of(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["cut"], row["method"], row["seed"], row["generator_seed"])


def generated(name: str, cut: str, seed: int, work: Path) -> tuple[Extra, float]:
    """The pictures of a generator, trained and drawn unless they are there; and the seconds of that."""
    begun = time.monotonic()
    config, sampled = design.generator_config(name, cut, seed)
    place = work / f"{name}_{cut}_{seed}".replace(":", "_").replace(" ", "_").lower()
    train(config, place / "run")
    augment(place / "run", place / "pictures", seed=seed, **sampled)
    whole = data.load(DATA, **design.CUTS[cut])
    return read_extra(place / "pictures", whole), time.monotonic() - begun


def measure_method(cut: str, method: str, args: argparse.Namespace, end: float) -> None:
    """All classifiers of a method on a cut that are still to be measured, a row each."""
    one, done = design.METHODS[method], {key_of(row) for row in rows()}
    for number in range(args.generator_seeds) if one.generator else [None]:
        seeds = [seed for seed in range(args.seeds) if (cut, method, seed, number) not in done]
        if not seeds or time.monotonic() > end:
            continue
        real, test = data.load(DATA, **design.CUTS[cut]), data.load(DATA, split="test")
        extra, seconds = None, None
        if number is not None:
            extra, seconds = generated(one.generator, cut, number, args.work)
        for seed in seeds:
            if time.monotonic() > end:
                return
            found = measure(real, test, one.training, extra=extra, seed=seed, progress=False)
            row = {"cut": cut, "method": method, "seed": seed, "generator_seed": number}
            row |= {"generator_seconds": seconds and round(seconds)}
            row |= {name: found[name] for name in KEPT} | {"per_class": found["data"]["per_class"]}
            row |= {"fingerprint": found["data"]["fingerprint"].partition(") of ")[0] + ")"}
            with RESULTS.open("a") as file:
                file.write(f"{json.dumps(row)}\n")
            sys.stderr.write(f"{cut}, {method}, seed {seed}: {found['balanced_accuracy']:.4f}\n")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cuts", default=",".join(design.CUTS), help="only these, with commas between")
    parser.add_argument("--methods", default=",".join(design.METHODS), help="likewise")
    parser.add_argument("--seeds", type=int, default=design.SEEDS, help="classifiers of each")
    parser.add_argument("--generator_seeds", type=int, default=1, help="generators of a kind for each cut")
    parser.add_argument("--minutes", type=float, default=1e6, help="begin nothing new after so many")
    parser.add_argument(
        "--work", type=Path, default=Path("runs/balance"), help="where generators are trained"
    )
    parser.add_argument("--report", action="store_true", help="train nothing")
    args = parser.parse_args()
    cuts, methods = args.cuts.split(","), args.methods.split(",")
    if unknown := {*cuts} - {*design.CUTS} | {*methods} - {*design.METHODS}:
        parser.error(
            f"{', '.join(sorted(unknown))}: the cuts are {', '.join(design.CUTS)}, the methods "
            f"{', '.join(design.METHODS)}"
        )
    compilation_cache.enable()
    end = time.monotonic() + 60 * args.minutes
    for cut in [] if args.report else cuts:
        for method in design.methods_of(cut):
            if method in methods:
                measure_method(cut, method, args, end)
    write_report(HERE, rows())
    return 0


if __name__ == "__main__":
    sys.exit(main())
