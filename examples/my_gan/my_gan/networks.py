"""A generator that paints each pixel by its place (a compositional pattern-producing network)."""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from gan_jax.models import MODELS


@MODELS.register("coordinate_generator")
class CoordinateGenerator(nn.Module):
    """Latents [B, L] -> images [B, *image_shape] in (-1, 1): one MLP of the latent and a pixel's x, y, r.

    Attributes:
        image_shape: (H, W, C), which gan_jax sets from the data.
        width: of each hidden layer.
        depth: how many there are.
    """

    image_shape: tuple[int, int, int]
    width: int = 32
    depth: int = 3

    @nn.compact
    def __call__(self, latent: Array, label: Array | None, train: bool) -> Array:
        height, width, channels = self.image_shape
        y, x = jnp.meshgrid(jnp.linspace(-1, 1, height), jnp.linspace(-1, 1, width), indexing="ij")
        place = jnp.stack([x, y, jnp.hypot(x, y)], axis=-1)  # [H, W, 3]
        h = nn.Dense(self.width)(latent)[:, None, None] + nn.Dense(self.width)(place)
        for _ in range(self.depth):
            h = nn.Dense(self.width)(nn.leaky_relu(h, 0.2))
        return jnp.tanh(nn.Dense(channels)(nn.leaky_relu(h, 0.2)))
