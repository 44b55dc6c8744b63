"""Sliced Wasserstein distance between the patches of two sets of images.

Karras et al. 2018, "Progressive Growing of GANs", arXiv:1710.10196, section 5, with the figures of its
appendix and official code: 128 patches of 7x7 per image and level of a Laplacian pyramid are projected on
4 times 128 random directions; one-dimensional 1-Wasserstein distances, which sorting gives exactly, are
averaged, times 1000.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.utils.checks import check_count
from gan_jax.utils.errors import UserError

Array = jax.Array

PATCH = 7  # the side of a patch
SMALLEST_SIDE = 16  # of the last level; Karras et al. 2018, arXiv:1710.10196, section 5
_PIXELS = 2**22  # values of the images whose patches are taken at a time
_PROJECTED_BYTES = 2**29  # projections held at a time, of one set
_CONSTANT = 1e-3  # a deviation of pixels in 0 to 255 below this is float32's rounding of a constant
_HIGHEST = jax.lax.Precision.HIGHEST  # an accelerator's default product has three digits


def unit_directions(size: int, count: int, generator: np.random.Generator) -> np.ndarray:
    """Directions float32 [size, count], uniform on the sphere: each column has the length 1."""
    drawn = generator.standard_normal((count, size))
    return np.ascontiguousarray((drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).T, np.float32)


def _parts(projections: int, count: int) -> Iterator[slice]:
    """The directions in parts for which the projections of `count` vectors fit in the memory set apart."""
    at_once = max(1, _PROJECTED_BYTES // (4 * count))
    parts = -(-projections // at_once)
    bounds = [projections * part // parts for part in range(parts + 1)]
    return (slice(a, b) for a, b in pairwise(bounds))


@jax.jit
def _product(vectors: Array, directions: Array) -> Array:
    """float32 [K, N] of [N, D] and [D, K]."""
    return jnp.matmul(directions.T, vectors.T, precision=_HIGHEST)


def _blocks(count: int, size: int) -> Iterator[tuple[slice, np.ndarray]]:
    """0..count in blocks: their rows, and `size` indices whose surplus repeats the last one.

    All blocks have one shape, so that a jitted function is compiled once.
    """
    for start in range(0, count, size):
        yield slice(start, min(start + size, count)), np.minimum(np.arange(start, start + size), count - 1)


def _distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """W_1 float64 [K] between the rows of [K, N] and [K, M], which are sorted in place.

    The two quantile functions are steps; between two neighbouring steps both are constant.
    """
    # On the host: XLA's sort on a CPU takes 40 times as long as numpy's.
    x.sort(axis=1)
    y.sort(axis=1)
    n, m = x.shape[1], y.shape[1]
    if n == m:
        return np.array([np.mean(np.abs(a - b), dtype=np.float64) for a, b in zip(x, y, strict=True)])
    steps = np.union1d(np.arange(n, dtype=np.int64) * m, np.arange(m, dtype=np.int64) * n)  # in 1 / (n m)
    widths = np.diff(steps, append=n * m) / (n * m)
    i, j = steps // m, steps // n
    return np.array([np.abs(a[i] - b[j]) @ widths for a, b in zip(x, y, strict=True)])


@dataclass(frozen=True)
class PyramidDistances:
    """Sliced Wasserstein distances between the patches of two sets of images, times 1000.

    Attributes:
        levels: per level of the pyramid, first the finest, as "32x32": height and width.
        mean: over the levels.
    """

    levels: dict[str, float]
    mean: float


def sliced_wasserstein_pyramid(
    real: np.ndarray, fake: np.ndarray, *, seed: int, patches: int = 128, projections: int = 512
) -> PyramidDistances:
    """The sliced Wasserstein distance of Karras et al. 2018, arXiv:1710.10196, section 5.

    Patches of 7x7 at random places are normalised per channel by the mean and deviation of their own set, as
    in the paper, so a change of brightness or contrast of a whole set is not seen. A channel that is constant
    over a set becomes 0. The 1-D distances are mean absolute differences.

    The pyramid goes on while both sides are even and no next side is below 16: 64, 32, 16 for 64x64; 32, 16
    for 32x32; only 28 for 28x28. The last level is the blurred image itself, so images of a single level are
    compared as they are.

    The places are the same in both sets, image by image: the same images give exactly 0, and unrelated ones
    what independent places give. Nothing but the images and 0.5 GiB of projections per set are held: patches
    are taken from the images again for each part of the directions.

    Args:
        real: uint8 [N, H, W, C], any number of channels.
        fake: uint8 [M, H, W, C]. The paper takes 16,384 of each.
        seed: of places and directions; not negative.
        patches: per image and level.
        projections: random directions per level.

    Raises:
        UserError: a set is empty, or the images are smaller than 7x7.
        ValueError: the arrays are not uint8 [N, H, W, C] with one H, W and C.
    """
    check_count(patches, "patches")
    check_count(projections, "projections")
    for name, images in (("real", real), ("fake", fake)):
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != real.shape[1:]:
            raise ValueError(f"expected {name} uint8 [N, H, W, C], got {images.dtype} {images.shape}")
    height, width = real.shape[1:3]
    if not (len(real) and len(fake) and min(height, width) >= PATCH and real.shape[3]):
        raise UserError(
            f"a patch distance needs images of at least {PATCH} x {PATCH}, and at least one in each set: "
            f"these are {len(real)} real and {len(fake)} fake of {height} x {width} x {real.shape[3]}"
        )
    count = num_levels(height, width)
    names = [f"{height >> level}x{width >> level}" for level in range(count)]
    values = [_level_distance(real, fake, level, count, seed, patches, projections) for level in range(count)]
    return PyramidDistances(levels=dict(zip(names, values, strict=True)), mean=float(np.mean(values)))


class _Level(NamedTuple):
    """One level of the pyramid, and where its patches are.

    Attributes:
        number: 0 is the finest.
        levels: how many there are.
        places: int32 [N, P, 2], the upper left corners of each image's patches.
        at_once: images whose patches are taken at a time.
    """

    number: int
    levels: int
    places: np.ndarray
    at_once: int


def _level_distance(
    real: np.ndarray, fake: np.ndarray, number: int, levels: int, seed: int, patches: int, projections: int
) -> float:
    """1000 times the distance at one level; the arguments are those of `sliced_wasserstein_pyramid`."""
    generator = np.random.default_rng([seed, number])
    directions = unit_directions(PATCH * PATCH * real.shape[3], projections, generator)
    longest = max(len(real), len(fake))
    corners = [(side >> number) - PATCH + 1 for side in real.shape[1:3]]
    places = generator.integers(0, corners, (longest, patches, 2), np.int32)
    at_once = min(longest, 64, max(1, _PIXELS // real[0].size))
    level = _Level(number, levels, places, at_once)
    scales = _mean_and_deviation(real, level), _mean_and_deviation(fake, level)
    total = 0.0
    for part in _parts(projections, longest * patches):
        first = _projected(real, level, scales[0], directions[:, part])
        second = _projected(fake, level, scales[1], directions[:, part])
        total += float(np.sum(_distances(first, second)))
    return 1000 * total / projections


def _mean_and_deviation(images: np.ndarray, level: _Level) -> tuple[np.ndarray, np.ndarray]:
    """Of all values of a set's patches, per channel: float32 [C] each."""
    each = np.empty((2, len(images), images.shape[3]))
    for rows, taken in _blocks(len(images), level.at_once):
        found = _moments(images[taken], level.places[taken], level.number, level.levels)
        each[:, rows] = np.asarray(found)[:, : rows.stop - rows.start]
    means, variances = each
    # The law of total variance; every image has as many values.
    deviation = np.sqrt(np.mean(variances, 0) + np.var(means, 0))
    scale = np.where(deviation > _CONSTANT, deviation, 1.0)
    return np.mean(means, 0).astype(np.float32), scale.astype(np.float32)


def _projected(
    images: np.ndarray, level: _Level, scale: tuple[np.ndarray, np.ndarray], directions: np.ndarray
) -> np.ndarray:
    """Projections float32 [K, N * P] of a set's normalised patches on directions [49 * C, K]."""
    projected = np.empty((directions.shape[1], len(images), level.places.shape[1]), np.float32)
    for rows, taken in _blocks(len(images), level.at_once):
        places = level.places[taken]
        found = _projections(images[taken], places, scale, directions, level.number, level.levels)
        blocks = np.asarray(found).reshape(len(projected), *places.shape[:2])
        projected[:, rows] = blocks[:, : rows.stop - rows.start]
    return projected.reshape(len(projected), -1)


@partial(jax.jit, static_argnames=("number", "levels"))
def _moments(images: Array, places: Array, number: int, levels: int) -> tuple[Array, Array]:
    """Mean and variance [B, C] over the values of each image's patches."""
    patches = _patches(images, places, number, levels)
    return jnp.mean(patches, (1, 2)), jnp.var(patches, (1, 2))


@partial(jax.jit, static_argnames=("number", "levels"))
def _projections(
    images: Array, places: Array, scale: tuple[Array, Array], directions: Array, number: int, levels: int
) -> Array:
    """float32 [K, B * P]: normalised patches on directions [49 * C, K]."""
    mean, deviation = scale
    patches = (_patches(images, places, number, levels) - mean) / deviation
    return _product(patches.reshape(-1, directions.shape[0]), directions)


def _patches(images: Array, places: Array, number: int, levels: int) -> Array:
    """float32 [B, P, 49, C] of images uint8 [B, H, W, C] whose upper left corners are places [B, P, 2]."""
    plane = laplacian_pyramid(images.astype(jnp.float32), levels)[number]
    channels = plane.shape[-1]

    def take(image: Array, place: Array) -> Array:
        return jax.lax.dynamic_slice(image, (place[0], place[1], 0), (PATCH, PATCH, channels))

    patches = jax.vmap(jax.vmap(take, (None, 0)))(plane, places)
    return patches.reshape(*places.shape[:2], PATCH * PATCH, channels)


def num_levels(height: int, width: int) -> int:
    """How many levels a pyramid has whose sides are halved exactly and stay at 16 or more; at least 1."""
    count = 1
    while height % 2 == 0 and width % 2 == 0 and min(height, width) // 2 >= SMALLEST_SIDE:
        height, width, count = height // 2, width // 2, count + 1
    return count


def laplacian_pyramid(images: Array, levels: int) -> list[Array]:
    """float32 [B, H >> l, W >> l, C] for each level l: what the next level, enlarged, lacks; last, the rest.

    Burt and Adelson 1983, "The Laplacian Pyramid as a Compact Image Code", with their binomial filter:
    images[l] = pyramid[l] + upsample(images[l + 1]) gives the image back.

    Args:
        images: float32 [B, H, W, C]; H and W are multiples of 2^(levels - 1).
    """
    pyramid = []
    for _ in range(levels - 1):
        smaller = downsample(images)
        pyramid.append(images - upsample(smaller))
        images = smaller
    return [*pyramid, images]


def downsample(images: Array) -> Array:
    """[B, H, W, C] blurred, and every second row and column of it: [B, H / 2, W / 2, C]."""
    return _blur(images)[:, ::2, ::2]


def upsample(images: Array) -> Array:
    """[B, H, W, C] with zeros between, blurred and brought back to its brightness: [B, 2 H, 2 W, C]."""
    b, h, w, c = images.shape
    spread = jnp.zeros((b, 2 * h, 2 * w, c), images.dtype).at[:, ::2, ::2].set(images)
    return 4 * _blur(spread)


def _blur(images: Array) -> Array:
    """The binomial filter 1 4 6 4 1 along both sides; the border is mirrored about its outermost pixels.

    A sum of shifted images: an accelerator's convolution would round to three digits.
    """
    padded = jnp.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    h, w = images.shape[1:3]
    taps = [weight / 16 for weight in (1, 4, 6, 4, 1)]
    columns = jnp.stack([tap * padded[:, k : k + h] for k, tap in enumerate(taps)]).sum(0)
    return jnp.stack([tap * columns[:, :, k : k + w] for k, tap in enumerate(taps)]).sum(0)
