"""What is done to the fields of a mini-batch after they are decoded, inside the compiled step."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from gan_jax.data.spec import Field

Array = jax.Array
Batch = dict[str, Array]
# (fields float32 [B, ...] and labels, typed PRNG keys [B], one per example) -> the same fields
Transform = Callable[[Batch, Array], Batch]

_CROP = 1  # folded into an example's key; the flips use the key itself


def flip(fields: Mapping[str, Field]) -> Transform:
    """Mirrors half of the examples left to right: aligned fields together, each other field by itself.

    Args:
        fields: that are mirrored, images [H, W, C] each.
    """

    def transform(batch: Batch, keys: Array) -> Batch:
        mirrored = {
            name: random_flip(batch[name], _keys_of(keys, name, field)) for name, field in fields.items()
        }
        return {**batch, **mirrored}

    return transform


def enlarge_and_crop(fields: Mapping[str, Field], pixels: int) -> Transform:
    """Enlarges every image by so many pixels a side and cuts its old size out at random (Isola et al. 2017,
    arXiv:1611.07004, section 6.2: from 256 to 286 and back), as `flip` aligned fields at the same place.

    Args:
        fields: that are cropped, images [H, W, C] each.
        pixels: added to the height and to the width, bilinearly.
    """

    def transform(batch: Batch, keys: Array) -> Batch:
        cropped = {
            name: _crop(batch[name], jax.vmap(jax.random.fold_in, (0, None))(own, _CROP), pixels)
            for name, field in fields.items()
            for own in (_keys_of(keys, name, field),)
        }
        return {**batch, **cropped}

    return transform


def random_flip(image: Array, keys: Array) -> Array:
    """Mirrors each picture left to right with probability one half.

    Args:
        image: [B, H, W, C], any dtype.
        keys: typed PRNG keys [B], one per example: the draw doesn't depend on the layout of the batch.
    """
    mirrored = jax.vmap(jax.random.bernoulli)(keys)
    return jnp.where(mirrored[:, None, None, None], image[:, :, ::-1], image)


def _crop(image: Array, keys: Array, pixels: int) -> Array:
    """Images [B, H, W, C] enlarged by `pixels` a side; of each H x W at a random place."""
    count, height, width, channels = image.shape
    shape = (count, height + pixels, width + pixels, channels)
    enlarged = jax.image.resize(image, shape, "bilinear")

    def cut(one: Array, key: Array) -> Array:
        top, left = jax.random.randint(key, (2,), 0, pixels + 1)
        return jax.lax.dynamic_slice(one, (top, left, 0), (height, width, channels))

    return jax.vmap(cut)(enlarged, keys)


def _keys_of(keys: Array, name: str, field: Field) -> Array:
    """The keys [B] that a field is moved with: one of its own where it is not aligned with the others."""
    if field.aligned:
        return keys
    return jax.vmap(jax.random.fold_in, (0, None))(keys, zlib.crc32(name.encode()))
