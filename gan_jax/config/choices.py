"""The components and penalties of a config that the command line, or a study's variant, chooses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import ml_collections
from absl import flags

from gan_jax import data
from gan_jax.config.components import choices, data_options, required
from gan_jax.config.tables import PENALTY_TABLES, TABLES, use_plugins
from gan_jax.utils import plugins


def with_components(config: ml_collections.ConfigDict, given: Mapping[str, Any]) -> ml_collections.ConfigDict:
    """The config with the components and penalties that overrides, fields "a.b.c" and their values, choose.

    They decide which fields there are, so they come before the other overrides. A component that is chosen
    anew keeps the fields that it shares with the one before.

    Raises:
        flags.Error: an unknown penalty, or a field without a default that no override sets.
    """
    needed: dict[str, str] = {}
    use_plugins((*plugins.names_of(config.get("plugins", ())), *plugins.names_of(given.get("plugins", ()))))
    with config.unlocked():
        for field, value in given.items():
            where, _, last = field.rpartition(".")
            if field == "data.name":
                choose_data(config, value)
            elif last == "name" and where in TABLES and value in TABLES[where]:
                needed |= choose(config, where, value)
            elif where.split(".")[0] in PENALTY_TABLES and "." in where:
                needed |= add_penalty(config, *where.split(".")[:2])
    for field, reason in needed.items():
        if field not in given:
            raise flags.Error(f"{reason} needs --config.{field}=... beside it")
    return config


def choose(config: ml_collections.ConfigDict, where: str, name: str) -> dict[str, str]:
    """Sets config[where].name; returns the fields that have yet to be set, and why."""
    component, table = config.get(where), TABLES[where]
    if not isinstance(component, ml_collections.ConfigDict) or component.get("name") == name:
        return {}
    before = choices(table[component.name]) if component.get("name") in table else set()
    for field in (before - choices(table[name])) & set(component):
        del component[field]
    component.name = name
    return demand(component, required(table[name]), where, f"--config.{where}.name={name}")


def choose_data(config: ml_collections.ConfigDict, name: str) -> None:
    """Sets data.name. All options of the data set before go: those of one name mean other things elsewhere.

    Only the size of the pictures is kept, where the new set can have any: the networks are made for it.
    """
    if not isinstance(config.get("data"), ml_collections.ConfigDict) or config.data.get("name") == name:
        return
    before, options = config.data.get("name", ""), data.options_of(name)
    size = data.picture_size(before, data_options(config)) if "height" in options else None
    for field in set(data.options_of(before)) & set(config.data):
        del config.data[field]
    config.data.name = name
    if size is not None:
        config.data.height, config.data.width = size


def add_penalty(config: ml_collections.ConfigDict, where: str, name: str) -> dict[str, str]:
    """Makes config[where][name] if it is not there; returns as `choose` does."""
    penalties, table = config.get(where), PENALTY_TABLES[where]
    if not isinstance(penalties, ml_collections.ConfigDict) or name in penalties:
        return {}
    if name not in table:
        raise flags.Error(f"--config.{where}.{name}: {name!r} is not one of {', '.join(sorted(table))}")
    penalties[name] = {}
    reason = f"--config.{where}.{name}, which the config file does not have,"
    return demand(penalties[name], required(table[name]), f"{where}.{name}", reason)


def demand(component: ml_collections.ConfigDict, fields: set[str], where: str, reason: str) -> dict[str, str]:
    """Makes the fields that are missing, so that they can be set: with a number that no constructor takes."""
    missing = sorted(fields - set(component))
    for field in missing:
        component[field] = math.nan
    return {f"{where}.{field}": reason for field in missing}
