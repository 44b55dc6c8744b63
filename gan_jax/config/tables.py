"""The tables of what a config can name, and the plugins that add to them."""

from __future__ import annotations

import re
from typing import Any

import ml_collections

from gan_jax.algorithms import ALGORITHMS
from gan_jax.algorithms.processes import PROCESSES
from gan_jax.algorithms.solvers import SAMPLERS
from gan_jax.algorithms.sources import SOURCES
from gan_jax.augment import AUGMENTS
from gan_jax.core.games import GAMES
from gan_jax.data import DATASETS
from gan_jax.data.codecs import CODECS
from gan_jax.densities import DENSITIES
from gan_jax.evaluation.networks import NETWORKS
from gan_jax.evaluation.scores import METRICS
from gan_jax.feature_networks.perceptual import CONTENTS
from gan_jax.losses.adversarial import LOSSES
from gan_jax.losses.generator_penalties import GENERATOR_PENALTIES
from gan_jax.losses.likelihoods import LIKELIHOODS
from gan_jax.losses.penalties import PENALTIES
from gan_jax.models import MODELS
from gan_jax.optim.optimizers import EMAS, OPTIMIZERS
from gan_jax.optim.schedules import SCHEDULES
from gan_jax.utils import plugins
from gan_jax.utils.tables import Table

# The components with a name; their tables.
TABLES: dict[str, Table[Any]] = {
    "algorithm": ALGORITHMS,
    "loss": LOSSES,
    "augment": AUGMENTS,
    "source": SOURCES,
    "process": PROCESSES,
    "sampler": SAMPLERS,
    "likelihood": LIKELIHOODS,
    "game": GAMES,
    "ema": EMAS,
    "generator": MODELS,
    "discriminator": MODELS,
    "generator_optimizer": OPTIMIZERS,
    "discriminator_optimizer": OPTIMIZERS,
}
# The components of which a config has any number, by name.
PENALTY_TABLES: dict[str, Table[Any]] = {
    "penalties": PENALTIES,
    "generator_penalties": GENERATOR_PENALTIES,
    "contents": CONTENTS,
}
# All that a config file, a plugin or a program may add to.
ALL_TABLES: dict[str, Table[Any]] = {
    **{where: table for where, table in TABLES.items() if "discriminator" not in where},
    **PENALTY_TABLES,
    "schedule": SCHEDULES,
    "data": DATASETS,
    "density": DENSITIES,
    "codec": CODECS,
    "metric": METRICS,
    "network": NETWORKS,
}


def own_components() -> list[str]:
    """The components in the tables of config files and programs, such as "generator my_network"."""
    return [
        f"{where} {name}"
        for where, table in ALL_TABLES.items()
        for name, owner in table.own().items()
        if not owner.plugin
    ]


def use_plugins(named: Any) -> tuple[str, ...]:
    """Imports the installed plugins and those that are named, as `config.plugins` names them; returns these.

    Raises:
        UserError: one is missing, or there is an error in it.
    """
    names = plugins.names_of(named)
    plugins.load_installed()
    plugins.load(names)
    return names


def used_plugins(config: ml_collections.ConfigDict) -> list[str]:
    """The plugins that have a component with a name that is somewhere in the config."""
    words = set(re.findall(r"\w+", repr(config.to_dict())))
    owned = [item for table in ALL_TABLES.values() for item in table.own().items()]
    return sorted({owner.plugin for name, owner in owned if owner.plugin and name in words})
