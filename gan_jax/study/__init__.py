"""Studies: variants of a config, each trained from many seeds, and statistics of their differences."""

from gan_jax.config.config_file import run_config_file
from gan_jax.study.study import Study, grid

__all__ = ["Study", "grid", "run_config_file"]
