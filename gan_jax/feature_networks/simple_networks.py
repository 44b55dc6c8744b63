"""Feature networks without labels or weights from elsewhere: random, pixels, principal components, points.

They see any size and any number of channels, and their features are the same on every machine up to the
rounding of float32 products. What they call near is not what a person would: scores in them compare runs
with each other, and do not stand for those in Inception's features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.data.codecs import Codec, Points
from gan_jax.feature_networks.network import FeatureNetwork, Outputs, digest_of
from gan_jax.models.layers.layers import conv
from gan_jax.utils.checks import check_count
from gan_jax.utils.errors import UserError
from gan_jax.utils.tree import PyTree

Array = jax.Array

_WIDTHS = (32, 64, 128)  # of the random network's layers; further ones are as wide as the last
_SMALLEST_SIDE = 4  # its layers halve the image until it is no larger than this
_LARGEST_MATRIX = 4096  # rows of the matrix that `pca_network` decomposes: half a minute
_ROWS_AT_A_TIME = 2048


def random_network(image_shape: tuple[int, int, int], seed: int = 0) -> FeatureNetwork:
    """A convolutional network with random weights.

    Such embeddings tell sets of images apart about as well as trained ones where the images are far from
    those that a network was trained on (Naeem et al. 2020, arXiv:2002.09797, on random embeddings).
    Convolutions 3x3 with stride 2 and ReLU, to a side of at most 4; weights uniform with He's variance
    2 / fan-in (He et al. 2015, arXiv:1502.01852, equation 10), no biases. The features are the last
    layer's 128 means over the positions and its 128 maxima.

    Args:
        image_shape: (H, W, C), any.
        seed: another one gives another network; 0 <= seed < 2**64. The weights are exactly the same on
            every machine.

    Raises:
        UserError: a seed out of range.
        ValueError: an image shape that is none.
    """
    _check_image_shape(image_shape)
    if not 0 <= seed < 2**64:
        raise UserError(f"the random network's seed is {seed}: it must be an integer from 0 to 2**64 - 1")
    params = _random_kernels(image_shape, seed)

    def apply(params: PyTree, images: Array) -> Outputs:
        last = random_maps(params, images)[-1]
        return Outputs(jnp.concatenate([last.mean((1, 2)), last.max((1, 2))], axis=-1))

    return FeatureNetwork(
        name=f"random (seed {seed})",
        digest=digest_of(params, f"random 1, 3x3 stride 2 relu, mean and maximum, {image_shape}"),
        resizer="none",
        image_shape=image_shape,
        num_features=2 * _WIDTHS[-1],
        num_classes=None,
        params=params,
        apply=apply,
        maps=random_maps,
    )


def random_maps(params: PyTree, images: Array) -> list[Array]:
    """The activations of a random network's layers, of images of any size, uint8 or float32 in 0 to 255."""
    x, found = _unit(images) * 2.0 - 1.0, []
    with jax.default_matmul_precision("highest"):
        for name in sorted(params):
            geometry = conv.geometry((x.shape[1], x.shape[2]), (3, 3), (2, 2), "SAME")
            x = jax.nn.relu(conv.convolve(x, params[name], geometry))
            found.append(x)
    return found


def pixel_network(image_shape: tuple[int, int, int]) -> FeatureNetwork:
    """The pixels themselves, in [0, 1]: D = H * W * C.

    Raises:
        ValueError: an image shape that is none.
    """
    _check_image_shape(image_shape)
    return FeatureNetwork(
        name="pixels",
        digest=digest_of({}, f"pixels 1, {image_shape}"),
        resizer="none",
        image_shape=image_shape,
        num_features=int(np.prod(image_shape)),
        num_classes=None,
        params={},
        apply=lambda params, images: Outputs(_flat(images)),
    )


def no_network(codec: Codec) -> FeatureNetwork:
    """What stands in for a network where no metric looks at features: it has none, of any images."""
    return FeatureNetwork(
        name="none",
        digest="",
        resizer="none",
        image_shape=(None, None, None),
        num_features=0,
        num_classes=None,
        params={},
        apply=lambda params, images: Outputs(jnp.zeros((images.shape[0], 0))),
        codec=codec,
    )


def point_network(dimension: int) -> FeatureNetwork:
    """Points of R^D as they are: the features are the coordinates.

    Args:
        dimension: D; the points are images (1, 1, D) of float32.
    """
    check_count(dimension, "dimension")
    return FeatureNetwork(
        name="points",
        digest=digest_of({}, f"points 1, {dimension}"),
        resizer="none",
        image_shape=(1, 1, dimension),
        num_features=dimension,
        num_classes=None,
        params={},
        apply=lambda params, images: Outputs(images.reshape(images.shape[0], -1)),
        codec=Points(),
    )


def decoding_network(network: FeatureNetwork, codec: Codec) -> FeatureNetwork:
    """A network of this module that takes what another codec stores, and sees it as `as_pixels`.

    Only of images it has maps: perceptual distances are between pictures.
    """
    maps = network.maps if codec.is_image else None
    return replace(
        network,
        digest=digest_of({}, f"{network.digest} of {codec.name} {codec.digest}"),
        apply=lambda params, stored: network.apply(params, as_pixels(stored, codec)),
        maps=None if maps is None else lambda params, stored: maps(params, as_pixels(stored, codec)),
        codec=codec,
    )


def as_pixels(stored: Array, codec: Codec) -> Array:
    """Decoded, with [-1, 1] brought to float32 0 to 255."""
    return (codec.decode(stored) + 1.0) * 127.5


def pca_network(images: np.ndarray | Sequence[np.ndarray], components: int) -> FeatureNetwork:
    """The first principal components of a set of real images, for these and all others.

    Exact: the eigenvectors of the covariance of the pixels in [0, 1], or of the Gram matrix where there
    are fewer images than pixels, in float64. The sign of a component is such that its largest weight is
    positive.

    Args:
        images: [N, H, W, C], uint8 or float32 in 0 to 255, the set that it is fitted on, whole or in batches.
        components: D, at most the rank of the centred images, which is at most N - 1.

    Raises:
        UserError: more components than the images have, or more than 4096 of both images and pixels.
        ValueError: not uint8 or float32 [N, H, W, C], or beyond 0 to 255.
    """
    check_count(components, "components")
    if not isinstance(images, np.ndarray):
        images = np.concatenate(images)
    if images.ndim != 4 or images.dtype not in (np.uint8, np.float32) or not images.size:
        raise ValueError(
            f"pca_network takes images uint8 or float32 [N, H, W, C], not {images.dtype} {images.shape}"
        )
    if not 0 <= images.min() <= images.max() <= 255:
        raise ValueError(f"pca_network takes images in 0 to 255, not {images.min()} to {images.max()}")
    count, image_shape = len(images), (images.shape[1], images.shape[2], images.shape[3])
    rows = images.reshape(count, -1)
    _check_components(components, *rows.shape)
    mean = _mean(rows)
    variances, basis = _principal(rows, mean, components)
    if not variances[-1] > variances[0] * max(rows.shape) * np.finfo(np.float64).eps:
        raise UserError(
            f"{components} principal components of {count} images: the images vary in fewer directions; "
            "ask for fewer components or give more varied images"
        )
    params = {"mean": np.float32(mean), "basis": np.float32(basis)}

    def apply(params: PyTree, images: Array) -> Outputs:
        centred = _flat(images) - params["mean"]
        return Outputs(jnp.dot(centred, params["basis"], precision=jax.lax.Precision.HIGHEST))

    return FeatureNetwork(
        name=f"pca ({components} of {count} images)",
        digest=digest_of(params, f"pca 1, {image_shape}"),
        resizer="none",
        image_shape=image_shape,
        num_features=components,
        num_classes=None,
        params=params,
        apply=apply,
    )


def _check_image_shape(image_shape: tuple[int, ...]) -> None:
    if len(image_shape) != 3:
        raise ValueError(f"image_shape={image_shape}: it must be (height, width, channels)")
    for size, field in zip(image_shape, ("height", "width", "channels"), strict=True):
        check_count(size, field)


def _unit(images: Array) -> Array:
    """uint8, or float32 in 0 to 255 -> float32 in [0, 1]; as a product, for a device may divide inexactly."""
    return images.astype(jnp.float32) * np.float32(1 / 255)


def _flat(images: Array) -> Array:
    return _unit(images).reshape(images.shape[0], -1)


def _random_kernels(image_shape: tuple[int, int, int], seed: int) -> dict[str, np.ndarray]:
    """Kernels float32 [3, 3, in, out], made of numpy's raw random bits: only these never change."""
    side, channels = max(image_shape[:2]), image_shape[2]
    kernels: dict[str, np.ndarray] = {}
    while side > _SMALLEST_SIDE or len(kernels) < len(_WIDTHS):
        layer = len(kernels)
        width = _WIDTHS[min(layer, len(_WIDTHS) - 1)]
        bits = np.random.Philox(key=np.array([seed, layer], np.uint64)).random_raw(9 * channels * width)
        uniform = (bits >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1.0  # [-1, 1) in steps of 2**-23
        bound = np.sqrt(6.0 / (9 * channels))  # a uniform variable's variance is bound**2 / 3
        kernels[f"conv_{layer:02d}"] = np.float32(bound * uniform).reshape(3, 3, channels, width)
        side, channels = -(-side // 2), width
    return kernels


def _check_components(components: int, count: int, num_pixels: int) -> None:
    most = min(count - 1, num_pixels)
    if components > most:
        raise UserError(
            f"{components} principal components of {count} images with {num_pixels} values each: there are "
            f"at most {most}; ask for fewer or give more images"
        )
    if min(count, num_pixels) > _LARGEST_MATRIX:
        raise UserError(
            f"pca of {count} images with {num_pixels} values each would take too long: give at most "
            f"{_LARGEST_MATRIX} images, or smaller ones of at most {_LARGEST_MATRIX} values"
        )


def _mean(rows: np.ndarray) -> np.ndarray:
    """float64 [P], of rows / 255; the sums of uint8 are exact."""
    exact = np.int64 if rows.dtype == np.uint8 else np.float64
    return rows.sum(axis=0, dtype=exact) / (255.0 * len(rows))


def _principal(rows: np.ndarray, mean: np.ndarray, components: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest variances float64 [k], descending, and their directions [P, k], of rows [N, P] / 255."""
    count, num_pixels = rows.shape
    if num_pixels <= count:
        matrix = np.zeros((num_pixels, num_pixels))
        for start in range(0, count, _ROWS_AT_A_TIME):
            centred = rows[start : start + _ROWS_AT_A_TIME] / 255.0 - mean
            matrix += centred.T @ centred
        values, vectors = np.linalg.eigh(matrix)
        basis = vectors[:, ::-1][:, :components]
    else:
        centred = rows / 255.0 - mean
        values, vectors = np.linalg.eigh(centred @ centred.T)
        basis = centred.T @ vectors[:, ::-1][:, :components]
        basis /= np.maximum(np.linalg.norm(basis, axis=0), np.finfo(np.float64).tiny)
    largest = np.take_along_axis(basis, np.abs(basis).argmax(axis=0)[None], axis=0)
    return values[::-1][:components] / (count - 1), basis * np.where(largest < 0, -1.0, 1.0)
