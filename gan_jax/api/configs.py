"""Configs by name."""

from __future__ import annotations

from pathlib import Path

import ml_collections

from gan_jax.config.components import complete
from gan_jax.config.config_file import Source, run_and_read
from gan_jax.utils.errors import UserError


def load_config(config: str | Path) -> ml_collections.ConfigDict:
    """A config, with the defaults of all fields that its file leaves out: to look at, or to change.

    Args:
        config: the name of a config that comes with the package ("dcgan_shapes"), a config file, which may be
            followed by ":" and its argument, or a run's config.json.

    Returns:
        A ConfigDict, whose fields are attributes. Give it to `gan_jax.train`.

    Raises:
        UserError: no such config, or an error in its file.

    Example:
        >>> import gan_jax
        >>> config = gan_jax.load_config("dcgan_shapes")
        >>> config.num_steps, config.loss.name, config.generator.widths
        (10000, 'non_saturating', (64, 32))
        >>> config.generator.widths = (32, 16)
    """
    return complete(opened(config)[0])


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
