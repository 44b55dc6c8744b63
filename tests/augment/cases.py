"""Pictures to transform, and draws whose values a test chooses."""

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.augment.draws import NAMES, SLOTS, Draws
from gan_jax.data import shapes

STEP = jnp.zeros((), jnp.int32)
SIZES = [(28, 28, 1), (32, 32, 3), (20, 28, 4), (17, 12, 3)]


def pictures(count, height, width, channels, seed=0):
    """Figures with a little noise, so that every pixel counts: float32 [count, H, W, C] in [-1, 1]."""
    drawn = shapes.draw(shapes.sample_factors(count, seed), 32, 3)[:, :height, :width]
    image = drawn[..., np.arange(channels) % 3] / 127.5 - 1
    noise = np.random.default_rng(seed).uniform(-0.2, 0.2, image.shape)
    return np.clip(image + noise, -1, 1).astype(np.float32)


def keys_of(count, seed=0):
    return jax.random.split(jax.random.key(seed), count)


def chosen(count=1, **slots):
    """Draws in which exactly these slots happen.

    Each is its uniforms or normals: a number, one per example, or a pair of those for its two parts. A slot
    "rotate/before" is given as rotate_before.
    """
    gates = np.ones((count, len(SLOTS)), np.float32)
    values = np.full((count, len(SLOTS), 2), 0.4, np.float32)
    names = {slot.replace("/", "_"): slot for slot in SLOTS}
    for slot, value in slots.items():
        place = SLOTS.index(names[slot])
        gates[:, place] = 0.0
        parts = value if isinstance(value, tuple) else (value, 0.0)
        values[:, place] = np.stack([np.broadcast_to(part, count) for part in parts], -1)
    values = jnp.asarray(values)
    return Draws(jnp.float32(0.5), frozenset(NAMES), jnp.asarray(gates), values, values, keys_of(count))
