"""A config with some of its fields changed from Python, as the command line changes them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import ml_collections
from absl import flags

from gan_jax.config.choices import with_components
from gan_jax.config.components import complete
from gan_jax.config.config_flag import check_field
from gan_jax.utils.checks import whole
from gan_jax.utils.errors import UserError


def overridden(
    base: ml_collections.ConfigDict, overrides: Mapping[str, Any], what: str
) -> ml_collections.ConfigDict:
    """A copy of the base, complete, with some fields changed.

    Args:
        overrides: fields such as "loss.name" or "penalties.r1.weight" and their values, as
            `--config.FIELD=VALUE` sets them; a schedule is a dict with its name.
        what: says in messages whose overrides these are.

    Raises:
        UserError: a field that the config has not.
    """
    config = copy.deepcopy(base)
    try:
        config = complete(with_components(config, overrides))
        with config.ignore_type(), config.unlocked():
            for field, value in overrides.items():
                check_field(config, field)
                *above, last = field.split(".")
                node = config
                for part in above:
                    node = node[part]
                node[last] = whole(value) if type(node.get(last)) is int else value
    except flags.Error as error:
        raise UserError(f"{what}: {str(error).replace('--config.', '')}") from None
    return config
