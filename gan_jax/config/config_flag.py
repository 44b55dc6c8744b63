"""The flag --config: a config file, and --config.field=value for any of its fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import ml_collections
from absl import flags
from ml_collections import config_flags

from gan_jax.config.config_file import Source, run_and_read
from gan_jax.config.similar_fields import meant
from gan_jax.utils.checks import whole
from gan_jax.utils.names import did_you_mean

_SOURCE = "source"  # an attribute of the flag
ABOUT = (
    "A shipped config's name, a config file, or a run's config.json; any of its fields can be set with "
    "--config.field=value. With --config, --help lists them with their values."
)
OVERRIDE = re.compile(r"--?(?:no)?config\.([\w.]+)")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
FIELD = re.compile(r"--?config\.([\w.]+)(?:=(.*))?", re.DOTALL)


def define_config(
    values: flags.FlagValues,
    argv: list[str],
    opened: Callable[[str], tuple[ml_collections.ConfigDict, Source | None]] | None = None,
) -> list[str]:
    """Adds --config and its fields to `values`; returns the command line without --config itself.

    The file is run here and not by ml_collections, so that its errors come with file and line, and an unknown
    field with the choices.

    Args:
        opened: gives the config and its source for what --config says, "" where it is not given; None: it
            must be given, and `run_and_read` opens it.

    Raises:
        UserError: no such file, an error in it, or no config from it; as `opened`.
        flags.Error: fields without a file, or a field that the config has not.
    """
    file = flags.FlagValues()
    file.set_gnu_getopt()
    flags.DEFINE_string("config", None, ABOUT, flag_values=file)
    others = file(argv, known_only=True)
    if not file.config and opened is None:
        flags.DEFINE_string("config", None, ABOUT, flag_values=values)
        if any(OVERRIDE.match(arg) for arg in others):
            raise flags.Error("--config is missing")
        return others
    from gan_jax.config.choices import with_components
    from gan_jax.config.components import complete  # only now: it imports JAX

    config, source = (opened or run_and_read)(file.config or "")
    others = with_names(config, others)
    config = complete(with_components(config, overrides(others)))
    others = with_whole_numbers(config, others)
    for arg in others:
        if match := OVERRIDE.match(arg):
            check_field(config, match[1])
    config_flags.DEFINE_config_dict("config", config, ABOUT, flag_values=values, sys_argv=others)
    setattr(values["config"], _SOURCE, source)
    return others


def source_of(values: flags.FlagValues) -> Source | None:
    """The source that a run with this --config is to keep."""
    return getattr(values["config"], _SOURCE, None)


def with_names(config: ml_collections.ConfigDict, argv: list[str]) -> list[str]:
    """The command line with --config.loss.name=hinge for --config.loss=hinge.

    Raises:
        flags.Error: a field that has fields of its own, and is given something else than a name.
    """
    found = list(argv)
    for index, (field, value) in enumerate(_given(argv)):
        node = value_of(config, field)
        if isinstance(node, list):
            raise flags.Error(f"--config.{field}={value}: it is a list, which only a config file can hold")
        if not isinstance(node, ml_collections.ConfigDict):
            continue
        if "name" not in node or not value.isidentifier():
            fields = [f"--config.{field}.{name}=..." for name in sorted(node)]
            choices = ", ".join(fields) or f"--config.{field}.NAME.weight=..."
            raise flags.Error(f"--config.{field}={value}: it has fields of its own; set {choices}")
        found[index] = f"--config.{field}.name{'=' + value if '=' in argv[index] else ''}"
    return found


def with_whole_numbers(config: ml_collections.ConfigDict, argv: list[str]) -> list[str]:
    """The command line with 100000 for 1e5 where the config has a whole number."""
    found = list(argv)
    for index, (field, value) in enumerate(_given(argv)):
        if type(value_of(config, field)) is int and NUMBER.fullmatch(value):
            at = index if "=" in argv[index] else index + 1
            found[at] = found[at].removesuffix(value) + str(whole(float(value)))
    return found


def value_of(config: ml_collections.ConfigDict, name: str) -> Any:
    """The value of a field "a.b.c"; None where there is no such field."""
    node: Any = config
    for field in name.split("."):
        node = node.get(field) if isinstance(node, ml_collections.ConfigDict) else None
    return node


def _given(argv: list[str]) -> Iterator[tuple[str, str]]:
    """For each argument the field that it sets, and the value; ("", "") where it sets none."""
    for arg, following in zip(argv, [*argv[1:], ""], strict=True):
        match = FIELD.fullmatch(arg)
        yield (match[1], following if match[2] is None else match[2]) if match else ("", "")


def overrides(argv: list[str]) -> dict[str, str]:
    """The values that the command line gives to fields "a.b.c" (of the last, where there are several)."""
    return {field: value for field, value in _given(argv) if field}


def check_field(config: ml_collections.ConfigDict, name: str) -> None:
    """Raises flags.Error, with the choices, unless the config has a field "a.b.c"."""
    node, above = config, ""
    for field in name.split("."):
        if not isinstance(node, ml_collections.ConfigDict):
            raise flags.Error(f"--config.{name}: {above} is a value and has no fields")
        if field not in node:
            found = ", ".join(sorted(node)) or "none; --config.penalties.NAME.weight=... adds one"
            if above == "data":
                found += owners(field)
            found += meant(config, name)
            raise flags.Error(f"--config.{name}: {above or 'the config'} has no {field!r}; it has {found}")
        node, above = node[field], f"{above}.{field}".lstrip(".")


def help_of_fields(values: flags.FlagValues) -> str:
    """What the help says of the fields of the config that was given; "" without one."""
    config = values["config"].value if "config" in values else None
    if not isinstance(config, ml_collections.ConfigDict):
        return ""
    from gan_jax.config.field_help import fields_help  # only now: it imports JAX

    return f"\nThe config's fields, each set with --config.field=value:\n{fields_help(config)}\n"


def unknown_flag(values: flags.FlagValues, name: str) -> str:
    """What is said of a flag that a command has not: it may be misspelled, or a field of the config."""
    advice = did_you_mean(f"--{name}", [f"--{flag}" for flag in values if "." not in flag])
    if not advice and "config" in values:
        config = values["config"].value
        advice = meant(config, name) if isinstance(config, ml_collections.ConfigDict) else ""
        advice = advice or "; fields of the config are set with --config.FIELD=VALUE"
    return f"there is no flag --{name}{advice}"


def owners(option: str) -> str:
    """Which data sets have an option, as the end of a message."""
    from gan_jax import data  # only now: it imports JAX

    names = [name for name in (*data.DATASETS, "zip") if option in data.options_of(name)]
    return f"; the data sets with {option!r} are {', '.join(names)} (--config.data.name)" if names else ""
