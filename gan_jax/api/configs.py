"""Configs by name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import ml_collections

from gan_jax.config import for_data
from gan_jax.config.components import complete
from gan_jax.config.config_file import Source, run_and_read
from gan_jax.data.given import as_dataset
from gan_jax.utils.errors import UserError
from gan_jax.utils.streams import Unfailing


def load_config(config: str | Path) -> ml_collections.ConfigDict:
    """A config, with the defaults of all fields that its file leaves out: to look at, or to change.

    Args:
        config: the name of a config that comes with the package ("dcgan_shapes"), a config file, which may be
            followed by ":" and its argument, or a run's config.json.

    Returns:
        A ConfigDict, whose fields are attributes. Give it to `gan_jax.train`.

    Raises:
        UserError: no such config, or an error in its file.

    Examples:
        >>> import gan_jax
        >>> config = gan_jax.load_config("dcgan_shapes")
        >>> config.num_steps, config.loss.name, config.generator.widths
        (10000, 'non_saturating', (64, 32))
        >>> config.generator.widths = (32, 16)
    """
    return complete(opened(config)[0])


def config_for(dataset: Any) -> ml_collections.ConfigDict:
    """The config that comes with the package and suits these pictures: by size, number, colours and classes.

    It is the one of `gan-jax train --data`, and which it is and why is written to standard error.

    Args:
        dataset: a folder of pictures, with a sub-folder for each class or none; a data set's name; or
            whatever `as_dataset` takes.

    Returns:
        The config, complete. A folder, or a named set, is its data; examples in memory are to be given to
        `gan_jax.train(config, workdir, dataset=...)` too.

    Raises:
        UserError: the folder cannot be used, no such data set, or examples that are no single pictures.

    Example:
        >>> import numpy as np
        >>> import gan_jax
        >>> images = np.zeros((30_000, 28, 28, 1), np.uint8)
        >>> gan_jax.config_for(images).generator.name
        'dcgan_generator'
    """
    if isinstance(dataset, str | Path):
        pictures = for_data.pictures_of(dataset)
    else:
        pictures = for_data.pictures_in_set(as_dataset(dataset), {})
    chosen = for_data.config_for(pictures)
    Unfailing(sys.stderr).write(chosen.said)
    return chosen.config


def opened(config: str | Path | ml_collections.ConfigDict) -> tuple[ml_collections.ConfigDict, Source | None]:
    """A config by its name, its file or itself, and the source that a run is to keep.

    Raises:
        UserError: as `load_config`; something else.
    """
    if isinstance(config, ml_collections.ConfigDict):
        return config, None
    if not isinstance(config, str | Path):
        raise UserError(
            f"config is {type(config).__name__}: give the name of a config, such as 'dcgan_shapes', a config "
            "file, or a ConfigDict"
        )
    try:
        return run_and_read(str(config))
    except UserError as error:
        raise UserError(str(error).removeprefix("--")) from None
