"""A config's fields with their values and what the docstrings of the components say of them, for the help."""

from __future__ import annotations

import functools
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import ml_collections

from gan_jax.config.components import PENALTY_TABLES, PLANS, TABLES
from gan_jax.data.catalog import DATASETS

_RUN = {  # fields that belong to no component
    "seed": "Of everything random.",
    "batch_size": "Examples of a step, over all devices.",
    "num_steps": "Steps of the whole run.",
    "steps_per_call": "Train steps in one compiled call.",
    "log_every_steps": "Between two rows of metrics.jsonl.",
    "checkpoint_every_steps": "Between two checkpoints.",
    "sample_every_steps": "Between two pictures of samples.",
    "plugins": "Modules with own components, imported before the config is read.",
    "phases": "Partial configs, each with its steps; only a config file can hold them.",
    "data.dir": "Where prepared data sets are.",
    "data.remainder": "drop the last partial mini-batch of an epoch, or carry it over.",
    "data.placement": "device, stream, or auto: by size.",
    "data.flip": "Mirror half of the examples.",
    "data.random_crop": "Enlarge every side by so many pixels and cut the old size out at random.",
}
_ENTRY = re.compile(r" {4}([a-z]\w*(?:, \w+)*): (.*)")
_WIDTH, _INDENT = 110, " " * 10


def fields_help(config: ml_collections.ConfigDict) -> str:
    """A line with each field and its value, and below it what it is, where a docstring says it."""
    lines = []
    for path, value, about in _fields(config):
        lines.append(f"  {path}={value}")
        if about:
            lines.append(textwrap.fill(about, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT))
    return "\n".join(lines)


def documented(make: Any) -> dict[str, str]:
    """What a constructor's docstring, or those of its base classes, say of each parameter: a sentence."""
    make = make.func if isinstance(make, functools.partial) else make
    found: dict[str, str] = {}
    for owner in inspect.getmro(make) if inspect.isclass(make) else (make,):
        for names, text in _entries(inspect.cleandoc(owner.__doc__ or "")):
            for name in names:
                found.setdefault(name, text)
    return found


def _entries(doc: str) -> Iterator[tuple[list[str], str]]:
    """Names and first sentence of every entry below "Args:" or "Attributes:"."""
    for section in re.findall(r"^(?:Args|Attributes):\n((?:(?: {4}.*)?\n?)*)", doc, re.MULTILINE):
        joined = re.sub(r"\n {8}\s*", " ", section)  # an entry's further lines are indented deeper
        for line in joined.splitlines():
            if entry := _ENTRY.fullmatch(line):
                sentence = re.split(r"(?<=\.)(?<!et al\.)\s", entry[2], maxsplit=1)[0]
                yield entry[1].split(", "), sentence


def _fields(config: ml_collections.ConfigDict) -> Iterator[tuple[str, Any, str]]:
    for name, value in config.items():
        if not isinstance(value, ml_collections.ConfigDict):
            yield name, value, _RUN.get(name, "")
        elif name in PENALTY_TABLES:
            for own, fields in value.items():
                yield from _component(f"{name}.{own}", fields, PENALTY_TABLES[name].get(own))
        else:
            yield from _component(name, value, _constructor(name, value))


def _constructor(where: str, fields: Mapping[str, Any]) -> Any:
    """What makes a component, or the dataclass of its options; None where nothing is known of it."""
    name = str(fields.get("name"))
    if where == "data":
        return getattr(DATASETS.get(name), "OPTIONS", None)
    return TABLES[where].get(name) if where in TABLES else PLANS.get(where)


def _component(where: str, fields: Mapping[str, Any], make: Any) -> Iterator[tuple[str, Any, str]]:
    """Its fields, the name first."""
    about = documented(make) if make is not None else {}
    for name in sorted(fields, key=lambda name: (name != "name", name)):
        value = fields[name]
        value = dict(value) if isinstance(value, ml_collections.ConfigDict) else value  # a schedule
        yield f"{where}.{name}", value, about.get(name, _RUN.get(f"{where}.{name}", ""))
