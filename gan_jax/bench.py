"""gan-jax bench: its flags. What it does is `experiments/speed` of the checkout."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from absl import flags

from gan_jax.errors import UserError

CHECKOUT = Path(__file__).resolve().parents[1]


def define(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds the flags."""
    flags.DEFINE_list("works", [], "What is trained; by default what suits the machine.", flag_values=values)
    flags.DEFINE_list("contenders", [], "Who trains it; by default all that matter.", flag_values=values)
    flags.DEFINE_list("batches", [], "Batch sizes, in the place of the works' own.", flag_values=values)
    flags.DEFINE_integer("rounds", 5, "How often each trains.", lower_bound=1, flag_values=values)
    flags.DEFINE_float("seconds", 2.0, "That a round takes about. Default: 2.", flag_values=values)
    flags.DEFINE_integer(
        "steps", 0, "Train steps in a round, in the place of --seconds.", lower_bound=0, flag_values=values
    )
    flags.DEFINE_enum(
        "starts",
        "first",
        ["first", "all", "none"],
        "Where starts are timed: the first batch size of each work (the default), all, none.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "out",
        None,
        "Results, without .json and .md; by default experiments/speed/results/HARDWARE-DATE if everything is "
        "measured, else none.",
        flag_values=values,
    )
    return argv


def run(values: flags.FlagValues, rest: list[str]) -> None:
    """gan-jax bench."""
    if rest:
        raise flags.Error(f"unexpected argument {rest[0]!r}")
    try:
        batches = tuple(int(text) for text in values.batches)
    except ValueError as error:
        raise flags.Error(
            f"--batches={','.join(values.batches)}: whole numbers with commas between"
        ) from error
    find_checkout()
    bench = importlib.import_module("experiments.speed.bench")
    measure = importlib.import_module("experiments.speed.measure")
    bench.run(
        bench.Options(
            works=tuple(values.works),
            contenders=tuple(values.contenders),
            batches=batches,
            rounds=measure.Rounds(values.rounds, values.seconds, values.steps),
            starts=values.starts,
            out=Path(values.out) if values.out else None,
        )
    )


def find_checkout(root: Path = CHECKOUT) -> None:
    """Makes `experiments` of the checkout importable.

    Raises:
        UserError: the package was installed without it.
    """
    if not (root / "experiments" / "speed" / "bench.py").is_file():
        raise UserError(
            f"the benchmark is in experiments/speed of the source, and there is none in {root}: clone the "
            "repository, pip install -e '.[speed]' in it, and run gan-jax bench again"
        )
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
