"""Pictures that one codec sees, as another sees them."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from gan_jax.data.codecs import Codec, Lab, Pixels, srgb_levels, to_float

Array = jax.Array


def recoded(picture: Array, seen: Codec, wanted: Codec) -> Array:
    """Pixels [B, H, W, C] as L*a*b* [B, H, W, 3], or L*a*b* as RGB pixels. Traceable.

    Other codecs, and pictures that are of the wanted one, are left as they are. Of pixels without three
    channels the mean is taken for grey.
    """
    if isinstance(seen, Pixels) and isinstance(wanted, Lab):
        if picture.shape[-1] != 3:
            picture = jnp.repeat(jnp.mean(picture, axis=-1, keepdims=True), 3, axis=-1)
        levels = jnp.round(jnp.clip((picture + 1) * 127.5, 0, 255))
        return wanted.decode(levels.astype(jnp.uint8))
    if isinstance(seen, Lab) and isinstance(wanted, Pixels):
        with jax.default_matmul_precision("highest"):
            return to_float(255 * srgb_levels(picture, jnp))
    return picture
