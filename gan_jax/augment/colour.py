"""ADA's colour transforms as one affine map of the channels per example.

Karras et al. 2020, arXiv:2006.06676, appendix B. The luma axis v is (1, ..., 1) / sqrt(C) for any number
of channels C; only the hue rotation, about that axis, needs C = 3, and is left out elsewhere. With C = 1 the
luma flip is the negative and saturation does nothing.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.augment.draws import Draws

Array = jax.Array
EXACT = jax.lax.Precision.HIGHEST


def colour_map(draws: Draws, channels: int) -> Array:
    """Affine maps of the channels [B, C, C + 1]: the matrix, and the offset in its last column.

    First to last: brightness + N(0, 0.2^2); contrast x 2^N(0, 0.5^2); with probability 1/2 the mirror
    image across the plane normal to v; hue turned by U(-pi, pi) about v; distance to v x 2^N(0, 1).
    """

    def strength(slot: str, value: Array) -> Array:
        return jnp.where(draws.happens(slot), value, 0.0)[:, None, None]

    luma = jnp.full((channels, channels), 1.0 / channels, jnp.float32)  # v v^T
    unit = jnp.eye(channels)
    brightness = 0.2 * strength("brightness", draws.normal("brightness"))
    contrast = jnp.exp2(0.5 * strength("contrast", draws.normal("contrast")))
    flip = strength("luma_flip", jnp.floor(2.0 * draws.uniform("luma_flip")))
    saturation = jnp.exp2(strength("saturation", draws.normal("saturation")))
    offset = jnp.broadcast_to(brightness, (brightness.shape[0], channels, 1))
    colour = jnp.concatenate([jnp.broadcast_to(unit, (len(offset), channels, channels)), offset], 2)
    colour = _times((unit - 2.0 * flip * luma), contrast * colour)
    if channels == 3:
        angle = strength("hue", jnp.pi * (2.0 * draws.uniform("hue") - 1.0))
        colour = _times(hue_rotation(angle), colour)
    # Exactly the unit matrix where saturation is 1.
    return _times(saturation * unit + (1.0 - saturation) * luma, colour)


def hue_rotation(angle: Array) -> Array:
    """Rotations of RGB about the grey axis by radians [B, 1, 1]: [B, 3, 3], Rodrigues' formula."""
    v = 3**-0.5
    cross = np.array([[0, -v, v], [v, 0, -v], [-v, v, 0]], np.float32)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return cos * jnp.eye(3) + sin * cross + (1.0 - cos) * jnp.full((3, 3), 1.0 / 3.0, jnp.float32)


def recoloured(image: Array, colour: Array) -> Array:
    """Applies affine maps of the channels [B, C, C + 1] to images [B, H, W, C]."""
    mixed = jnp.einsum("bij,bhwj->bhwi", colour[..., :-1], image, precision=EXACT)
    return mixed + colour[:, None, None, :, -1]


def _times(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=EXACT)
