"""Tiny generators with random weights: one of z, one of styles."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax.algorithms.gan import GAN
from gan_jax.core.styles import NO_TRUNCATION
from gan_jax.data.spec import DataSpec, Field
from gan_jax.latent_tools.generator import LatentGenerator
from gan_jax.models import MODELS

SHAPE = (6, 5, 1)
LAYERS, SIZE, LATENT = 4, 3, 4
SPEC = DataSpec({"image": Field(SHAPE)}, None)


class Styled(nn.Module):
    """w is a dense layer of the latent; each layer of styles has its own, their sum is the image."""

    axis_name: str | None = None
    conditional = False

    def setup(self):
        self.first = nn.Dense(SIZE)
        self.affine = [nn.Dense(int(np.prod(SHAPE)), name=f"affine_{i}") for i in range(LAYERS)]
        self.variable("styles", "mean", lambda: jnp.full(SIZE, 0.25))

    def __call__(self, latent, told, train):
        return self.synthesis(self.mapping(latent, told, train), told, train)

    def mapping(self, latent, told, train):
        return jnp.repeat(self.first(latent)[:, None], LAYERS, axis=1)

    def synthesis(self, styles, told, train):
        parts = [layer(styles[:, i]) for i, layer in enumerate(self.affine)]
        return jnp.tanh(sum(parts)).reshape(-1, *SHAPE)


@functools.cache
def gan(generator, **fields):
    """A GAN and its state before the first step."""
    algorithm = GAN(
        generator=generator,
        discriminator=MODELS["mlp_discriminator"](widths=(4,)),
        generator_tx=optax.sgd(0.1),
        discriminator_tx=optax.sgd(0.1),
        ema_decay=optax.constant_schedule(0.0),
        latent_size=LATENT,
        **fields,
    )
    batch = {"image": jnp.zeros((2, *SHAPE)), "label": jnp.zeros(2, jnp.int32)}
    return algorithm, algorithm.init(jax.random.key(0), batch)


def styled(truncation=NO_TRUNCATION):
    algorithm, spec, state = opened(Styled())
    return LatentGenerator(algorithm, spec, state, truncation)


def plain(**fields):
    """Of z, without norms, so that every picture depends on its latent alone."""
    generator = MODELS["mlp_generator"](image_shape=SHAPE, widths=(12,), norm="none", num_classes=3, **fields)
    return LatentGenerator(*opened(generator))


def opened(generator, **fields):
    algorithm, state = gan(generator, **fields)
    return algorithm, SPEC, state
