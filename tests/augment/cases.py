"""Pictures to transform, and draws whose values a test chooses."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.augment import ADA
from gan_jax.augment.draws import NAMES, SLOTS, TRANSFORMS, Draws
from gan_jax.data import shapes
from gan_jax.optim.schedules import linear

STEP = jnp.zeros((), jnp.int32)
EVERYTHING = tuple(TRANSFORMS)  # all groups
SIZES = [(28, 28, 1), (32, 32, 3), (20, 28, 4), (17, 12, 3)]


def pictures(count, height, width, channels, *, seed=0):
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
    both = jnp.asarray(values)
    return Draws(jnp.float32(0.5), frozenset(NAMES), jnp.asarray(gates), both, both, keys_of(count))


@functools.cache
def compiled(augment):
    """(images, keys, step) -> images, for an augmentation without state."""
    return jax.jit(lambda x, keys, step=STEP: augment(x, keys, {}, step))


def ada_at(p, x, keys, groups=ADA.groups):
    """ADA with p, a multiple of 1/100, as a schedule: one program serves every p."""
    augment = ADA(groups=groups, adjust_images=0, p=linear(0.0, 1.0, steps=100))
    return compiled(augment)(x, keys, jnp.int32(round(100 * p)))
