"""What the fields of a config would be if it had only chosen its components."""

from __future__ import annotations

import copy
from typing import Any

import ml_collections

from gan_jax.config.build import base_config
from gan_jax.config.components import complete
from gan_jax.config.record import flatten, to_json
from gan_jax.config.tables import PENALTY_TABLES, TABLES


def default_fields(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """The default of every field of a complete config that has one, by dotted names; JSON values.

    The names of components have the defaults of `base_config`, those of data sets and networks none.
    """
    bare = base_config()
    named = {f"{where}.name": bare[where].name for where in TABLES if where in bare}
    with bare.unlocked():
        for where in set(bare) - set(config):
            del bare[where]
        for where, node in config.items():
            if not isinstance(node, ml_collections.ConfigDict):
                continue
            if where in PENALTY_TABLES:
                bare[where] = {name: {} for name in node}
            elif where == "data":
                bare.data.name = node.name
            elif where in TABLES:
                bare[where] = {"name": copy.deepcopy(node.get("name"))}
    fields = flatten(to_json(complete(bare)))
    for where in (*TABLES, "data"):
        fields.pop(f"{where}.name", None)
    return fields | {name: value for name, value in named.items() if name.partition(".")[0] in config}


def set_fields(config: ml_collections.ConfigDict) -> dict[str, tuple[Any, Any]]:
    """The fields of a complete config that are not as by default: (value, default), None for no default."""
    fields, defaults = flatten(to_json(config)), default_fields(config)
    return {
        name: (value, defaults.get(name))
        for name, value in fields.items()
        if name not in defaults or defaults[name] != value
    }
