"""Mixtures of discretised logistics for pixels of any number of channels.

Salimans et al. 2017, "PixelCNN++", arXiv:1701.05517, section 2.1 and equation 3: the components are chosen
for all channels of a pixel at once, and the mean of a channel moves linearly with the channels before it.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.losses.likelihoods import LEAST_LOG_SCALE, DiscretisedLogistic, to_level

Array = jax.Array


class Mixture(NamedTuple):
    """Of each pixel K components.

    Attributes:
        logits: of the components, [..., K].
        mean: of the channels, before those that come first have moved it, [..., K, C].
        log_scale: [..., K, C].
        coupling: how much channel c moves with channel b < c, [..., K, C, C], zeros elsewhere.
    """

    logits: Array
    mean: Array
    log_scale: Array
    coupling: Array


def outputs(components: int, channels: int) -> int:
    """How many numbers a network says of a pixel."""
    return components * (1 + 2 * channels + channels * (channels - 1) // 2)


def mixture(said: Array, components: int, channels: int) -> Mixture:
    """What a network's numbers [..., outputs] mean."""
    said = said.reshape(*said.shape[:-1], components, -1)
    logits, mean = said[..., 0], said[..., 1 : 1 + channels]
    log_scale = jnp.maximum(said[..., 1 + channels : 1 + 2 * channels], LEAST_LOG_SCALE)
    rows, columns = np.tril_indices(channels, -1)
    coupling = (
        jnp.zeros((*mean.shape, channels)).at[..., rows, columns].set(jnp.tanh(said[..., 1 + 2 * channels :]))
    )
    return Mixture(logits, mean, log_scale, coupling)


def log_prob(found: Mixture, pixels: Array) -> Array:
    """ln p of pixels [..., C] with values in [-1, 1], [...]."""
    mean = found.mean + jnp.einsum("...kcb,...b->...kc", found.coupling, pixels, precision="highest")
    each = DiscretisedLogistic().log_prob(pixels[..., None, :], mean, found.log_scale)
    return jax.nn.logsumexp(jax.nn.log_softmax(found.logits) + jnp.sum(each, axis=-1), axis=-1)


def noise(key: Array, shape: tuple[int, ...], components: int, channels: int) -> tuple[Array, Array]:
    """What `draw` needs for so many pixels: Gumbel [*shape, K] and logistic numbers [*shape, C]."""
    chosen, within = jax.random.split(key)
    return jax.random.gumbel(chosen, (*shape, components)), jax.random.logistic(within, (*shape, channels))


def draw(found: Mixture, gumbel: Array, logistic: Array) -> Array:
    """Pixels [..., C], of the 256 levels, from noise of the same shape."""
    chosen = jnp.argmax(found.logits + gumbel, axis=-1)[..., None]
    mean = jnp.take_along_axis(found.mean, chosen[..., None], axis=-2)[..., 0, :]
    log_scale = jnp.take_along_axis(found.log_scale, chosen[..., None], axis=-2)[..., 0, :]
    coupling = jnp.take_along_axis(found.coupling, chosen[..., None, None], axis=-3)[..., 0, :, :]
    pixels = jnp.zeros_like(mean)
    for channel in range(mean.shape[-1]):
        moved = mean[..., channel] + jnp.sum(coupling[..., channel, :] * pixels, axis=-1)
        value = to_level(moved + jnp.exp(log_scale[..., channel]) * logistic[..., channel])
        pixels = pixels.at[..., channel].set(value)
    return pixels
