"""Summary statistics of each variant's runs, for the report's tables and the figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gan_jax.study.result import Result
from gan_jax.study.statistics import Interval, bootstrap, quantiles


@dataclass(frozen=True)
class Summary:
    """One score of one variant over its training seeds.

    A run counts if it finished and its last value is finite.

    Attributes:
        variant: its name.
        score: its name.
        better: "higher", "lower", "neither" or "detail".
        runs: all there are.
        diverged: seeds of the runs that diverged.
        not_finite: seeds of the runs that finished and whose last value is missing, NaN or infinite.
        values: last value of each seed that counts.
        last: their mean and interval.
        best: mean over the runs that count of each one's best value over training; NaN where no direction is
            better. It is optimistic: the maximum of noisy values.
        median: of the last values of all runs, the ones that do not count taken as worst; infinite where
            that is half of them or more, NaN where no direction is better.
        seconds: mean over all runs; NaN without any.
    """

    variant: str
    score: str
    better: str
    runs: int
    diverged: tuple[int, ...]
    not_finite: tuple[int, ...]
    values: dict[int, float]
    last: Interval
    best: float
    median: float
    seconds: float


def in_order(results: Iterable[Result], variants: Sequence[str]) -> list[Result]:
    """The results by variant, as the study names them, and seed.

    Raises:
        ValueError: a variant that the study has not, two results of the same run, or runs of one variant
            that were trained by different configs.
    """
    place = {name: index for index, name in enumerate(variants)}
    runs: dict[tuple[str, int], Result] = {}
    digests: dict[str, str] = {}
    for result in results:
        run = (result.variant, result.seed)
        if result.variant not in place:
            raise ValueError(f"a result of {result.variant!r}; the study has {', '.join(place)}")
        if run in runs:
            raise ValueError(f"two results of {result.variant!r} with seed {result.seed}")
        if digests.setdefault(result.variant, result.digest) != result.digest:
            raise ValueError(f"the runs of {result.variant!r} were trained by different configs")
        runs[run] = result
    return sorted(runs.values(), key=lambda result: (place[result.variant], result.seed))


def direction(results: Iterable[Result], score: str) -> str:
    """Which values of a score are better; "neither" where no result has it.

    Raises:
        ValueError: the results disagree.
    """
    found = sorted({result.better[score] for result in results if score in result.better})
    if len(found) > 1:
        raise ValueError(f"results disagree on which values of {score!r} are better: {', '.join(found)}")
    return found[0] if found else "neither"


def summarise(results: Sequence[Result], variant: str, score: str) -> Summary:
    """One variant's summary.

    Args:
        results: of all variants, from `in_order`.
        variant: its name.
        score: its name.
    """
    better = direction(results, score)
    runs = [result for result in results if result.variant == variant]
    finished = [run for run in runs if run.finished]
    counted = [run for run in finished if math.isfinite(run.last(score))]
    values = {run.seed: run.last(score) for run in counted}
    return Summary(
        variant=variant,
        score=score,
        better=better,
        runs=len(runs),
        diverged=tuple(run.seed for run in runs if not run.finished),
        not_finite=tuple(run.seed for run in finished if run.seed not in values),
        values=values,
        last=bootstrap(list(values.values())),
        best=_mean([run.best(score) for run in counted]),
        median=_median(list(values.values()), len(runs), better),
        seconds=_mean([run.seconds for run in runs]),
    )


def ranking(results: Sequence[Result], variants: Sequence[str], score: str) -> list[Summary]:
    """The variants' summaries, the best mean first; those without a value last, equal ones as the study names
    them, and all of them so where no direction is better."""
    sign = {"higher": -1.0, "lower": 1.0}.get(direction(results, score), 0.0)
    summaries = [summarise(results, variant, score) for variant in variants]
    return sorted(summaries, key=lambda s: (s.last.n == 0, sign * s.last.mean if s.last.n else 0.0))


def over_training(results: Sequence[Result], variant: str, score: str) -> tuple[np.ndarray, np.ndarray]:
    """A variant's values over training.

    Returns:
        the steps of any of its runs, int64 [T], rising; the values [S, T], a row per run, NaN where a run
        has none, and from the step on at which it diverged.
    """
    runs = [result for result in results if result.variant == variant]
    steps = sorted({step for run in runs for step, _ in run.scores.get(score, [])})
    column = {step: index for index, step in enumerate(steps)}
    values = np.full((len(runs), len(steps)), np.nan)
    for row, run in enumerate(runs):
        for step, value in run.scores.get(score, []):
            if run.diverged_at is None or step < run.diverged_at:
                values[row, column[step]] = value
    return np.array(steps, np.int64), values


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _median(values: list[float], runs: int, better: str) -> float:
    worst = {"higher": -math.inf, "lower": math.inf}.get(better, math.nan)
    if not runs or math.isnan(worst):
        return math.nan
    every = np.array([*values, *[worst] * (runs - len(values))])
    return float(quantiles(every[:, None], [0.5])[0, 0])
