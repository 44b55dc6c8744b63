"""Groups of a study's runs that share a compiled program.

Runs that differ in their seeds, and in numbers that could as well be schedules (learning rates, decays,
penalties' weights, ...), have the same shapes and the same operations: they are trained together, and those
numbers are arguments of their program. Runs that differ in anything else have a program of their own.
"""

from __future__ import annotations

import copy
import hashlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import ml_collections
import numpy as np

from gan_jax.config.build import build_algorithm
from gan_jax.config.phases import phase_configs
from gan_jax.config.record import to_json
from gan_jax.config.tables import PENALTY_TABLES, TABLES
from gan_jax.core.algorithm import Algorithm
from gan_jax.data.spec import DataSpec
from gan_jax.study.study import Run

Array = jax.Array
AT_ONCE = 128  # runs of one program


@dataclass(frozen=True)
class Group:
    """Runs that are trained together.

    Attributes:
        runs: R of them.
        numbers: the fields in which their configs differ, besides the seed: float32 [R] each.
    """

    runs: tuple[Run, ...]
    numbers: Mapping[str, np.ndarray]

    @property
    def config(self) -> ml_collections.ConfigDict:
        """The first run's; the others' are the same but for the seed and `numbers`."""
        return self.runs[0].config

    @property
    def id(self) -> str:
        """16 hex digits, equal only for the same runs in the same order."""
        listed = [(run.digest, run.seed) for run in self.runs]
        return hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """As messages name it."""
        variants = list(dict.fromkeys(run.variant for run in self.runs))
        shown = ", ".join(variants[:3]) + (f" and {len(variants) - 3} more" if len(variants) > 3 else "")
        return f"{shown}: {len(self.runs)} run{'s' if len(self.runs) > 1 else ''}"

    def algorithm_of(self, spec: DataSpec, phase: int = 0) -> Callable[[Mapping[str, Array]], Algorithm]:
        """One run's `numbers`, scalars that may be traced -> its algorithm in one of the phases."""
        chosen = phase_configs(self.config)[phase]
        kept = [field for field in self.numbers if self._is_kept(field, phase)]

        def algorithm(numbers: Mapping[str, Array]) -> Algorithm:
            config = copy.deepcopy(chosen.config)
            with config.ignore_type():
                for field in kept:
                    every = self.numbers[field]
                    bounds = float(every.min()), float(every.max())
                    _set(config, field, Number(numbers[field], bounds))
            return build_algorithm(config, spec, chosen.start)

        return algorithm

    def _is_kept(self, field: str, phase: int) -> bool:
        """Whether each run still has its own number in the phase: no phase up to it sets the field anew.

        One run does not tell: a phase may set the very number that it has. Two with different ones do.
        """
        every = self.numbers[field]
        configs = [self.runs[index].config for index in (0, int((every != every[0]).argmax()))]
        return all(
            _get(phase_configs(config)[phase].config, field) == _get(config, field) for config in configs
        )


@dataclass(frozen=True)
class Number:
    """A schedule that has one run's number at every step.

    Attributes:
        value: float32 [], traced.
        bounds: the least and the greatest of all runs'.
    """

    value: Array
    bounds: tuple[float, float]

    def __call__(self, step: Array) -> Array:
        return self.value


def grouped(runs: Sequence[Run], at_once: int = AT_ONCE) -> list[Group]:
    """The runs in groups of at most `at_once`, in the order of their first runs."""
    alike: dict[str, list[tuple[Run, dict[str, float]]]] = {}
    for run in runs:
        signature, numbers = split_numbers(run.config)
        alike.setdefault(signature, []).append((run, numbers))
    groups = []
    for members in alike.values():
        for start in range(0, len(members), at_once):
            groups.append(_group(members[start : start + at_once]))
    return groups


def _group(members: list[tuple[Run, dict[str, float]]]) -> Group:
    columns = {
        field: np.array([numbers[field] for _, numbers in members], np.float32) for field in members[0][1]
    }
    differing = {field: values for field, values in columns.items() if (values != values[0]).any()}
    return Group(tuple(run for run, _ in members), differing)


def split_numbers(config: ml_collections.ConfigDict) -> tuple[str, dict[str, float]]:
    """A config without its seed and its numbers, as text; and the numbers.

    0 and 1 stay in the text: they can switch a part of the program off.
    """
    record = to_json(config)
    del record["seed"]
    numbers = {}
    for where, make in _makers(config).items():
        fields = record
        for part in where.split("."):
            fields = fields[part]
        for field in sorted(_schedulable(make) & set(fields)):
            value = fields[field]
            if isinstance(value, int | float) and value not in (0, 1):
                numbers[f"{where}.{field}"] = float(value)
                fields[field] = "a number"
    return json.dumps(record, sort_keys=True), numbers


def _makers(config: ml_collections.ConfigDict) -> dict[str, Callable[..., Any]]:
    """The constructors of a config's components and penalties, by where they are."""
    named = {where: table[config[where].name] for where, table in TABLES.items() if where in config}
    return named | {
        f"{where}.{name}": table[name]
        for where, table in PENALTY_TABLES.items()
        for name in config.get(where, {})
    }


def _schedulable(make: Callable[..., Any]) -> set[str]:
    """The fields that may be schedules: their values can differ between runs of one program."""
    return {
        name
        for name, parameter in inspect.signature(make).parameters.items()
        if "Schedule" in str(parameter.annotation)
    }


def _get(config: ml_collections.ConfigDict, field: str) -> Any:
    for part in field.split("."):
        if part not in config:
            return None
        config = config[part]
    return config


def _set(config: ml_collections.ConfigDict, field: str, value: Any) -> None:
    *above, last = field.split(".")
    for part in above:
        config = config[part]
    config[last] = value
