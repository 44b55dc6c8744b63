"""Affine transforms of the plane, and resampling of images under them.

A transform is [B, 3, 3] on homogeneous (x, y, 1) in pixels, x to the right and y down, from the image's
centre. Karras et al. 2020, arXiv:2006.06676, appendix B.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from gan_jax.augment import wavelets
from gan_jax.augment.draws import Draws

Array = jax.Array
EXACT = jax.lax.Precision.HIGHEST  # the default rounds factors to 10 or 8 bits on accelerators


def translation(x: Array, y: Array) -> Array:
    """Moves by (x, y), each [B]."""
    one, zero = jnp.ones_like(x), jnp.zeros_like(x)
    return _matrix((one, zero, x), (zero, one, y))


def scaling(x: Array, y: Array) -> Array:
    """Enlarges by the factors x and y, each [B]."""
    zero = jnp.zeros_like(x)
    return _matrix((x, zero, zero), (zero, y, zero))


def rotation(angle: Array) -> Array:
    """Turns from x towards y (clockwise as seen) by radians, [B]."""
    cos, sin, zero = jnp.cos(angle), jnp.sin(angle), jnp.zeros_like(angle)
    return _matrix((cos, -sin, zero), (sin, cos, zero))


def inverse_transform(draws: Draws, height: int, width: int) -> Array:
    """[B, 3, 3]: where in the image each point of the result comes from.

    The transforms are, first to last: isotropic scaling by 2^N(0, 0.2^2); rotation by U(-pi, pi);
    anisotropic scaling by s and 1/s, s = 2^N(0, 0.2^2); another rotation; translation by
    N(0, 0.125^2) of the sides.
    """

    def strength(slot: str, value: Array) -> Array:
        return jnp.where(draws.happens(slot), value, 0.0)

    def angle(slot: str) -> Array:
        return strength(slot, jnp.pi * (2.0 * draws.uniform(slot) - 1.0))

    scale = jnp.exp2(-0.2 * strength("scale", draws.normal("scale")))
    stretch = jnp.exp2(0.2 * strength("stretch", draws.normal("stretch")))
    x = 0.125 * width * strength("translate", draws.normal("translate", 0))
    y = 0.125 * height * strength("translate", draws.normal("translate", 1))
    return compose(
        scaling(scale, scale),
        rotation(-angle("rotate/before")),
        scaling(1.0 / stretch, stretch),
        rotation(-angle("rotate/after")),
        translation(-x, -y),
    )


def compose(*transforms: Array) -> Array:
    """The product of matrices [B, 3, 3]: the last is applied first."""
    product = transforms[0]
    for transform in transforms[1:]:
        product = jnp.matmul(product, transform, precision=EXACT)
    return product


def warp(image: Array, inverse: Array) -> Array:
    """The image under an affine transform, mirrored beyond its borders.

    Upsampled twice by the orthogonal lowpass of sym6, looked up bilinearly, and downsampled by the same
    filter transposed: against aliasing and blur, and exactly the identity where `inverse` is (all but
    rounding). The origin is at the image's centre as the filter's delay at low frequencies places it.

    Args:
        image: [B, H, W, C].
        inverse: [B, 3, 3], from points of the result to points of the image.

    Returns:
        [B, H, W, C], linear in `image`. The gradient is a scatter-add, whose order of summation a GPU fixes
        only under --xla_gpu_deterministic_ops.
    """
    height, width = image.shape[1:3]
    planes = image.transpose(0, 3, 1, 2)
    rows, columns = wavelets.upsampling(height), wavelets.upsampling(width)
    fine = jnp.einsum("yh,bchw,xw->bcyx", rows, planes, columns, precision=EXACT)
    fine = bilinear(fine, *_fine_points(inverse, height, width))
    rows, columns = wavelets.downsampling(height), wavelets.downsampling(width)
    return jnp.einsum("hy,bcyx,wx->bhwc", rows, fine, columns, precision=EXACT)


def bilinear(planes: Array, x: Array, y: Array) -> Array:
    """Values [B, C, M, N] between the samples of periodic planes [B, C, Y, X], at x and y, each [B, M, N]."""
    batch, channels, height, width = planes.shape
    left, top = jnp.floor(x), jnp.floor(y)
    to_right, to_bottom = x - left, y - top
    x0, y0 = jnp.mod(left.astype(jnp.int32), width), jnp.mod(top.astype(jnp.int32), height)
    x1, y1 = jnp.where(x0 + 1 == width, 0, x0 + 1), jnp.where(y0 + 1 == height, 0, y0 + 1)
    samples = planes.reshape(batch, channels, height * width)

    def weighted(row: Array, column: Array, weight: Array) -> Array:
        index = row * width + column
        values = jax.vmap(lambda one, i: one.at[:, i].get(mode="promise_in_bounds"))(samples, index)
        return values * weight[:, None]

    upper = weighted(y0, x0, (1 - to_bottom) * (1 - to_right)) + weighted(y0, x1, (1 - to_bottom) * to_right)
    lower = weighted(y1, x0, to_bottom * (1 - to_right)) + weighted(y1, x1, to_bottom * to_right)
    return upper + lower


def _fine_points(inverse: Array, height: int, width: int) -> tuple[Array, Array]:
    """x and y, each [B, M, N], on the upsampled image for all that the downsampling reads."""

    def centred(size: int) -> Array:
        fine = jnp.arange(2 * size - 2 + wavelets.TAPS, dtype=jnp.float32) - wavelets.BEFORE
        return (fine - wavelets.PHASE) / 2 - (size - 1) / 2

    y, x = jnp.meshgrid(centred(height), centred(width), indexing="ij")

    def source(row: int, size: int) -> Array:
        a, b, c = (inverse[:, row, column, None, None] for column in range(3))
        return 2 * (a * x + b * y + c + (size - 1) / 2) + wavelets.PHASE

    return source(0, width), source(1, height)


def _matrix(first: tuple[Array, ...], second: tuple[Array, ...]) -> Array:
    third = (jnp.zeros_like(first[0]), jnp.zeros_like(first[0]), jnp.ones_like(first[0]))
    return jnp.stack([jnp.stack(row, -1) for row in (first, second, third)], -2)
