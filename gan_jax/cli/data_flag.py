"""The flag --data of `gan-jax train`: pictures of one's own, on a config that is chosen for them or given."""

from __future__ import annotations

import sys
from pathlib import Path

import ml_collections
from absl import flags

from gan_jax.config.config_file import Source, run_and_read
from gan_jax.config.config_flag import define_config
from gan_jax.utils.streams import Unfailing

ABOUT = (
    "A folder of pictures, one sub-folder for each class or none, or the name of a data set, to train on. "
    "Without --config a shipped config is chosen by their size, number, colours and classes."
)
_SAID = "said"  # an attribute of the flag
_RUNS = "runs"  # the folder of runs that nobody named


def define(values: flags.FlagValues, argv: list[str]) -> list[str]:
    """Adds --data, --config and its fields; returns the command line without --data and --config.

    Raises:
        UserError: data that cannot be used; as `define_config`.
        flags.Error: as `define_config`.
    """
    own = flags.FlagValues()
    own.set_gnu_getopt()
    flags.DEFINE_string("data", None, ABOUT, flag_values=own)
    others = own(argv, known_only=True)
    flags.DEFINE_string("data", own.data or None, ABOUT, flag_values=values)
    if not own.data:
        return define_config(values, others)

    def opened(config: str) -> tuple[ml_collections.ConfigDict, Source | None]:
        from gan_jax.config import for_data  # only now: it imports the data sets

        if config:
            found, source = run_and_read(config)
            return for_data.on_data(found, own.data), source
        chosen = for_data.config_for(for_data.pictures_of(own.data))
        setattr(values["data"], _SAID, chosen.said)
        return chosen.config, chosen.source

    return define_config(values, others, opened)


def workdir(values: flags.FlagValues) -> str | None:
    """Where a run goes whose workdir nobody gave: the name of its data in runs/; None without --data."""
    return str(Path(_RUNS) / Path(values.data).expanduser().resolve().name) if values.data else None


def say(values: flags.FlagValues, folder: Path | None) -> None:
    """Says which config was chosen and why, and where the run is, on standard error; else nothing."""
    if said := getattr(values["data"], _SAID, ""):
        where = f"the run is in {folder}\n" if folder else ""
        Unfailing(sys.stderr).write(f"{said}{where}")
