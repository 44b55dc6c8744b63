"""A plugin of gan_jax: the loss `margin`, the network `coordinate_generator` and the data set `rings`."""

from my_gan import data, losses, networks

__all__ = ["data", "losses", "networks"]
