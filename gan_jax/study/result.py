"""The result of one training run of a study, and its row in results.jsonl."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

DIRECTIONS = ("higher", "lower", "neither", "detail")  # which values of a score are better


@dataclass(frozen=True)
class Result:
    """The result of one run of a study.

    Attributes:
        variant: the name of its config in the study.
        seed: of the training, at least 0.
        digest: of the config that trained it, without the seed.
        overrides: the config's fields that the variant changes, dotted names; JSON values.
        steps: completed train steps.
        diverged_at: the first step with a loss that is not finite; None if there was none.
        scores: the values of each score over training as (step, value), steps rising; NaN and infinity are
            allowed.
        better: of each score "higher", "lower", "neither", or "detail" (of no interest in a table).
        protocol: of each score what its numbers mean: "2,500 fakes against 60,000 reals of mnist:train, ...".
        seconds: the run's share of the wall time of the runs that trained beside it.
        environment: as `provenance.describe_environment`.

    Raises:
        ValueError: a field holds what it must not.
    """

    variant: str
    seed: int
    digest: str
    overrides: Mapping[str, Any]
    steps: int
    diverged_at: int | None
    scores: Mapping[str, list[tuple[int, float]]]
    better: Mapping[str, str]
    protocol: Mapping[str, str]
    seconds: float
    environment: Mapping[str, Any]

    def __post_init__(self) -> None:
        for name in ("variant", "digest"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise ValueError(f"{name}={getattr(self, name)!r}: expected a text that is not empty")
        _check_count(self.seed, "seed")
        _check_count(self.steps, "steps")
        if self.diverged_at is not None:
            _check_count(self.diverged_at, "diverged_at")
        if not _is_number(self.seconds) or not 0.0 <= self.seconds < math.inf:
            raise ValueError(f"seconds={self.seconds!r}: expected a finite number, at least 0")
        for name in ("overrides", "scores", "better", "protocol", "environment"):
            if not isinstance(getattr(self, name), Mapping):
                raise ValueError(f"{name}={getattr(self, name)!r}: expected a mapping")
        if not self.scores.keys() == self.better.keys() == self.protocol.keys():
            raise ValueError(
                f"scores, better and protocol must name the same scores, not {sorted(self.scores)}, "
                f"{sorted(self.better)} and {sorted(self.protocol)}"
            )
        for name in self.scores:
            _check_score(name, self.scores[name], self.better[name], self.protocol[name])

    @property
    def finished(self) -> bool:
        """Whether it never diverged."""
        return self.diverged_at is None

    def last(self, score: str) -> float:
        """The score's last value; NaN where the run has none."""
        values = self.scores.get(score)
        return values[-1][1] if values else math.nan

    def best(self, score: str) -> float:
        """The score's best value over training; NaN where it has none or no direction is better."""
        values = [value for _, value in self.scores.get(score, []) if not math.isnan(value)]
        choose = {"higher": max, "lower": min}.get(self.better.get(score, "neither"))
        return choose(values) if choose and values else math.nan

    def to_row(self) -> dict[str, Any]:
        """The result as a JSON value.

        NaN becomes null, and infinity "inf" or "-inf"; numbers have 7 digits, as float32 has; a protocol that
        several scores share is there once, with their names.
        """
        row = asdict(self)
        row["protocol"] = {
            text: [name for name in self.protocol if self.protocol[name] == text]
            for text in dict.fromkeys(self.protocol.values())
        }
        row["scores"] = {
            name: [[step, _to_json(value)] for step, value in values] for name, values in self.scores.items()
        }
        return row

    @classmethod
    def from_row(cls, row: Any) -> Result:
        """The result that `to_row` wrote.

        Raises:
            ValueError: the row is none of ours; the message says why.
        """
        if not isinstance(row, Mapping):
            raise ValueError(f"a result is a JSON object, not {row!r}")
        fields = cls.__dataclass_fields__.keys()
        if row.keys() != fields:
            missing, unknown = sorted(fields - row.keys()), sorted(row.keys() - fields)
            raise ValueError(f"a result misses the fields {missing} and has the unknown fields {unknown}")
        if not isinstance(row["scores"], Mapping):
            raise ValueError(f"scores={row['scores']!r}: expected a mapping")
        scores = {name: _from_json(name, values) for name, values in row["scores"].items()}
        protocol = row["protocol"]
        if not isinstance(protocol, Mapping) or not all(isinstance(x, list) for x in protocol.values()):
            raise ValueError(f"protocol={protocol!r}: expected texts, each with a list of scores")
        texts = {name: text for text, names in protocol.items() for name in names}
        ordered = {name: texts[name] for name in scores if name in texts} | texts
        return cls(**{**row, "scores": scores, "protocol": ordered})


def _to_json(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return float(f"{value:.7g}") if math.isfinite(value) else str(float(value))


def _from_json(name: str, values: Any) -> list[tuple[int, float]]:
    words = {None: math.nan, "inf": math.inf, "-inf": -math.inf}
    pairs = []
    for pair in values if isinstance(values, list) else [values]:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError(f"scores[{name!r}]: expected pairs of a step and a value, not {pair!r}")
        step, value = pair
        known = value is None or isinstance(value, str)
        if known and value not in words:
            raise ValueError(f'scores[{name!r}]: expected a number, null, "inf" or "-inf", not {value!r}')
        pairs.append((step, words[value] if known else value))
    return pairs


def _check_score(name: str, values: Any, better: Any, protocol: Any) -> None:
    if better not in DIRECTIONS:
        raise ValueError(f"better[{name!r}]={better!r}: expected one of {', '.join(DIRECTIONS)}")
    if not isinstance(protocol, str):
        raise ValueError(f"protocol[{name!r}]={protocol!r}: expected a text")
    before = -1
    for step, value in values:
        _check_count(step, f"a step of scores[{name!r}]")
        if not _is_number(value):
            raise ValueError(f"scores[{name!r}]: expected a number at step {step}, not {value!r}")
        if step <= before:
            raise ValueError(f"scores[{name!r}]: step {step} follows {before}; steps must rise")
        before = step


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_count(value: Any, name: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name}={value!r}: expected an integer, at least 0")
