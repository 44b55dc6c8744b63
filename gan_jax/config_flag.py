"""The flag --config: a config file, and --config.field=value for any of its fields."""

from __future__ import annotations

import math
import re
import runpy
import traceback
from pathlib import Path

import ml_collections
from absl import flags
from ml_collections import config_flags

from gan_jax.build import complete
from gan_jax.errors import UserError

ABOUT = "The config file; any of its fields can be set with --config.field=value."
OVERRIDE = re.compile(r"--?(?:no)?config\.([\w.]+)")
NAME = re.compile(r"--?config\.([\w.]+)\.name=(.+)")
PENALTY = re.compile(r"--?config\.penalties\.(\w+)\.")


def define_config(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds --config and its fields to `values`; returns the command line without --config itself.

    The file is run here and not by ml_collections, so that its errors come with file and line, and an unknown
    field with the choices.

    Raises:
        UserError: no such file, an error in it, or no config from it.
        flags.Error: fields without a file, or a field that the config has not.
    """
    file = flags.FlagValues()
    file.set_gnu_getopt()
    flags.DEFINE_string("config", None, ABOUT, flag_values=file)
    others = file(argv, known_only=True)
    if not file.config:
        flags.DEFINE_string("config", None, ABOUT, flag_values=values)
        if any(OVERRIDE.match(arg) for arg in others):
            raise flags.Error("--config is missing")
        return others
    config = complete(with_names(run_config_file(file.config), others))
    for arg in others:
        if match := OVERRIDE.match(arg):
            check_field(config, match[1])
    config_flags.DEFINE_config_dict("config", config, ABOUT, flag_values=values, sys_argv=others)
    return others


def with_names(config: ml_collections.ConfigDict, argv: list[str]) -> ml_collections.ConfigDict:
    """The config with the names of components, and the penalties, that the command line sets.

    They decide which fields there are, so they come before the other overrides.
    """
    with config.unlocked():
        for arg in argv:
            if (match := PENALTY.match(arg)) and match[1] not in config.get("penalties", {match[1]}):
                config.penalties[match[1]] = {"weight": math.nan}  # refused unless it is set too
            elif (match := NAME.match(arg)) and isinstance(config.get(match[1]), ml_collections.ConfigDict):
                config[match[1]].name = match[2]
    return config


def check_field(config: ml_collections.ConfigDict, name: str) -> None:
    """Raises flags.Error, with the choices, unless the config has a field "a.b.c"."""
    node, above = config, ""
    for field in name.split("."):
        if not isinstance(node, ml_collections.ConfigDict):
            raise flags.Error(f"--config.{name}: {above} is a value and has no fields")
        if field not in node:
            choices = ", ".join(sorted(node))
            raise flags.Error(f"--config.{name}: {above or 'the config'} has no {field!r}; it has {choices}")
        node, above = node[field], f"{above}.{field}".lstrip(".")


def run_config_file(path: str) -> ml_collections.ConfigDict:
    """What get_config() of a config file returns; `path` may end in ":" and its argument."""
    file, *argument = path.split(":", 1)
    if not Path(file).is_file():
        raise UserError(
            f"--config={path}: there is no such file; give a config file, such as those in configs/"
        )
    try:
        module = runpy.run_path(file)
        config = module["get_config"](*argument) if "get_config" in module else None
    except Exception as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
        where = f"{file}, line {lines[-1]}" if lines else file
        raise UserError(f"the config file {where}: {type(error).__name__}: {error}") from error
    if not isinstance(config, ml_collections.ConfigDict):
        raise UserError(
            f"the config file {file} must have a function get_config() that returns a ConfigDict; "
            "start from build.base_config() as the files in configs/ do"
        )
    return config
