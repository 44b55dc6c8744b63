"""The methods a config can name, one file per paper."""

from gan_jax.algorithm import Algorithm
from gan_jax.algorithms.gan import GAN

ALGORITHMS: dict[str, type[Algorithm]] = {
    "gan": GAN,
}
