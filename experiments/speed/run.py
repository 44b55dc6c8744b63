"""Our train step against Keras's and PyTorch's on the same work: `python experiments/speed/run.py`.

Without arguments everything that suits the machine is measured and written to `results/`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from experiments.speed import bench, measure
from gan_jax.utils.errors import UserError


def names(text: str) -> tuple[str, ...]:
    """Names with commas between."""
    return tuple(filter(None, text.split(",")))


def sizes(text: str) -> tuple[int, ...]:
    """Whole numbers with commas between."""
    try:
        return tuple(int(size) for size in names(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: whole numbers with commas between") from None


def parse(arguments: list[str]) -> bench.Options:
    """The options of one benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--works", type=names, default=(), help="what is trained; default: for the machine")
    parser.add_argument("--contenders", type=names, default=(), help="who trains it; default: all")
    parser.add_argument("--batches", type=sizes, default=(), help="batch sizes, not the works' own")
    parser.add_argument("--rounds", type=int, default=5, help="how often each trains; default: 5")
    parser.add_argument("--seconds", type=float, default=2.0, help="that a round takes about; default: 2")
    parser.add_argument("--steps", type=int, default=0, help="train steps in a round, not --seconds")
    parser.add_argument(
        "--starts",
        choices=("first", "all", "none"),
        default="first",
        help="where starts are timed: the first batch size of each work (the default), all, none",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="results, without .json and .md; default: results/HARDWARE-DATE if all is measured",
    )
    given = parser.parse_args(arguments)
    if given.rounds < 1:
        parser.error(f"--rounds={given.rounds}: at least 1")
    if given.steps < 0:
        parser.error(f"--steps={given.steps}: at least 0")
    return bench.Options(
        works=given.works,
        contenders=given.contenders,
        batches=given.batches,
        rounds=measure.Rounds(given.rounds, given.seconds, given.steps),
        starts=given.starts,
        out=given.out,
    )


def main(arguments: list[str]) -> int:
    """Measures; the exit code."""
    try:
        bench.run(parse(arguments))
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
