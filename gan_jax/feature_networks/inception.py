"""Inception v3 as its published weights need it, for inference.

Szegedy et al. 2015, arXiv:1512.00567, figures 5 to 7. Images and activations are float32 [B, H, W, C].
Modules are named as PyTorch's files name them, so that a file's entry and a parameter find each other by name
alone. Two variants are in use, and their features cannot be compared:

    fid          the graph "inception-2015-12-05" that Inception Scores (Salimans et al. 2016,
                 arXiv:1606.03498) and FIDs (Heusel et al. 2017, arXiv:1706.08500) come from. 1008 outputs;
                 average pools leave the padding out; the last block's pool is a maximum, which is taken to be
                 a mistake of that graph's, and is part of it.
    torchvision  torchvision's port of a later one. 1000 outputs; average pools count the padding.

Compared with pytorch-fid 0.3.0, torch-fidelity 0.4.0 and torchvision on the same weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array
Step = Callable[[Array], Array]

SIDE = 299  # of the images that the published weights were trained on
SMALLEST = 75  # the least side that all blocks can work on
NUM_FEATURES = 2048
EPSILON = 1e-3  # of the batch norms
ROW, COLUMN, POINT = (1, 7), (7, 1), (1, 1)


@dataclass(frozen=True)
class Variant:
    """What differs between the published networks.

    Attributes:
        num_classes: outputs.
        count_padding: whether the average pools average the zeros around the image in.
        last_pool_is_max: of the block before the features.
        score_with_bias: whether the logits for an Inception Score have the bias. The score's original code
            multiplies the features with the matrix alone, and so does torch-fidelity ("logits_unbiased").
    """

    num_classes: int
    count_padding: bool
    last_pool_is_max: bool
    score_with_bias: bool


VARIANTS = {
    "fid": Variant(1008, count_padding=False, last_pool_is_max=True, score_with_bias=False),
    "torchvision": Variant(1000, count_padding=True, last_pool_is_max=False, score_with_bias=True),
}


class Activations(NamedTuple):
    """What the network makes of images.

    Attributes:
        features: [B, 2048], the mean of the last block over its places.
        logits: [B, K], as the network was trained.
        logits_unbiased: [B, K], without the bias.
        maps: of five layers, first to last: [B, h, w, c] with 64, 192, 288, 768 and 2048 channels, at 73x73,
            35x35, 35x35, 17x17 and 8x8 places for images of 299x299.
    """

    features: Array
    logits: Array
    logits_unbiased: Array
    maps: list[Array]


class InceptionV3(nn.Module):
    """Images float32 [B, H, W, 3], H and W at least 75, in about [-1, 1] -> `Activations`."""

    variant: Variant

    @nn.compact
    def __call__(self, x: Array) -> Activations:
        if x.ndim != 4 or x.shape[3] != 3 or min(x.shape[1:3]) < SMALLEST:
            raise ValueError(f"expected images [B, H, W, 3] of {SMALLEST} pixels or more, got {x.shape}")
        average = partial(average_pool, count_padding=self.variant.count_padding)
        last = partial(max_pool, stride=1) if self.variant.last_pool_is_max else average

        x = Unit(32, (3, 3), stride=2, padded=False, name="Conv2d_1a_3x3")(x)
        x = Unit(32, (3, 3), padded=False, name="Conv2d_2a_3x3")(x)
        x = Unit(64, (3, 3), name="Conv2d_2b_3x3")(x)
        first_pool = x = max_pool(x, stride=2)
        x = Unit(80, name="Conv2d_3b_1x1")(x)
        x = Unit(192, (3, 3), padded=False, name="Conv2d_4a_3x3")(x)
        second_pool = x = max_pool(x, stride=2)
        x = BlockA(32, average, name="Mixed_5b")(x)
        x = BlockA(64, average, name="Mixed_5c")(x)
        mixed_5 = x = BlockA(64, average, name="Mixed_5d")(x)
        x = BlockB(name="Mixed_6a")(x)
        x = BlockC(128, average, name="Mixed_6b")(x)
        x = BlockC(160, average, name="Mixed_6c")(x)
        x = BlockC(160, average, name="Mixed_6d")(x)
        mixed_6 = x = BlockC(192, average, name="Mixed_6e")(x)
        x = BlockD(name="Mixed_7a")(x)
        x = BlockE(average, name="Mixed_7b")(x)
        mixed_7 = x = BlockE(last, name="Mixed_7c")(x)

        features = jnp.mean(x, axis=(1, 2))
        logits, unbiased = _Output(self.variant.num_classes, name="fc")(features)
        return Activations(features, logits, unbiased, [first_pool, second_pool, mixed_5, mixed_6, mixed_7])


class _Output(nn.Module):
    """The last layer, with and without its bias."""

    num_classes: int

    @nn.compact
    def __call__(self, features: Array) -> tuple[Array, Array]:
        shape = (features.shape[-1], self.num_classes)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros, (self.num_classes,))
        unbiased = jnp.matmul(features, kernel, precision=jax.lax.Precision.HIGHEST)
        return unbiased + bias, unbiased


class Unit(nn.Module):
    """Convolution without a bias, batch norm by stored statistics, ReLU.

    Attributes:
        features: channels of the result.
        kernel: its height and width.
        stride: in both directions.
        padded: whether zeros around the image keep its size; only with odd kernels.
    """

    features: int
    kernel: tuple[int, int] = POINT
    stride: int = 1
    padded: bool = True

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (*self.kernel, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.he_normal(), shape)
        scale = self.param("scale", nn.initializers.ones, (self.features,))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        mean = self.param("mean", nn.initializers.zeros, (self.features,))
        variance = self.param("variance", nn.initializers.ones, (self.features,))
        margin = [(size // 2, size // 2) if self.padded else (0, 0) for size in self.kernel]
        x = lax.conv_general_dilated(
            x,
            kernel,
            (self.stride, self.stride),
            margin,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            precision=lax.Precision.HIGHEST,
        )
        gain = scale / jnp.sqrt(variance + EPSILON)
        return jax.nn.relu(x * gain + (bias - mean * gain))


def max_pool(x: Array, stride: int) -> Array:
    """Of 3x3; at stride 1 the size is kept, at stride 2 there is no padding."""
    margin = (1, 1) if stride == 1 else (0, 0)
    return nn.max_pool(x, (3, 3), (stride, stride), (margin, margin))


def average_pool(x: Array, count_padding: bool) -> Array:
    """Of 3x3 at stride 1; `count_padding`: at the border zeros from outside are averaged in."""
    return nn.avg_pool(x, (3, 3), (1, 1), ((1, 1), (1, 1)), count_include_pad=count_padding)


def chain(x: Array, *steps: Step) -> Array:
    """The steps one after the other."""
    for step in steps:
        x = step(x)
    return x


def join(*branches: Array) -> Array:
    """The branches' channels side by side."""
    return jnp.concatenate(branches, axis=-1)


class BlockA(nn.Module):
    """Figure 5: 1x1, 5x5, two 3x3, and a pool; for 35x35 (PyTorch's InceptionA)."""

    pool_features: int
    pool: Step

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return join(
            Unit(64, name="branch1x1")(x),
            chain(x, Unit(48, name="branch5x5_1"), Unit(64, (5, 5), name="branch5x5_2")),
            chain(
                x,
                Unit(64, name="branch3x3dbl_1"),
                Unit(96, (3, 3), name="branch3x3dbl_2"),
                Unit(96, (3, 3), name="branch3x3dbl_3"),
            ),
            chain(x, self.pool, Unit(self.pool_features, name="branch_pool")),
        )


class BlockB(nn.Module):
    """Figure 10: from 35x35 to 17x17 (PyTorch's InceptionB)."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return join(
            Unit(384, (3, 3), stride=2, padded=False, name="branch3x3")(x),
            chain(
                x,
                Unit(64, name="branch3x3dbl_1"),
                Unit(96, (3, 3), name="branch3x3dbl_2"),
                Unit(96, (3, 3), stride=2, padded=False, name="branch3x3dbl_3"),
            ),
            max_pool(x, stride=2),
        )


class BlockC(nn.Module):
    """Figure 6 with n = 7: rows and columns of 7 instead of 7x7; for 17x17 (PyTorch's InceptionC)."""

    inner: int
    pool: Step

    @nn.compact
    def __call__(self, x: Array) -> Array:
        inner = self.inner
        return join(
            Unit(192, name="branch1x1")(x),
            chain(
                x,
                Unit(inner, name="branch7x7_1"),
                Unit(inner, ROW, name="branch7x7_2"),
                Unit(192, COLUMN, name="branch7x7_3"),
            ),
            chain(
                x,
                Unit(inner, name="branch7x7dbl_1"),
                Unit(inner, COLUMN, name="branch7x7dbl_2"),
                Unit(inner, ROW, name="branch7x7dbl_3"),
                Unit(inner, COLUMN, name="branch7x7dbl_4"),
                Unit(192, ROW, name="branch7x7dbl_5"),
            ),
            chain(x, self.pool, Unit(192, name="branch_pool")),
        )


class BlockD(nn.Module):
    """From 17x17 to 8x8, likewise figure 10 (PyTorch's InceptionD)."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return join(
            chain(
                x,
                Unit(192, name="branch3x3_1"),
                Unit(320, (3, 3), stride=2, padded=False, name="branch3x3_2"),
            ),
            chain(
                x,
                Unit(192, name="branch7x7x3_1"),
                Unit(192, ROW, name="branch7x7x3_2"),
                Unit(192, COLUMN, name="branch7x7x3_3"),
                Unit(192, (3, 3), stride=2, padded=False, name="branch7x7x3_4"),
            ),
            max_pool(x, stride=2),
        )


class BlockE(nn.Module):
    """Figure 7: branches that fork at their end; for 8x8 (PyTorch's InceptionE)."""

    pool: Step

    @nn.compact
    def __call__(self, x: Array) -> Array:
        short = Unit(384, name="branch3x3_1")(x)
        long = chain(x, Unit(448, name="branch3x3dbl_1"), Unit(384, (3, 3), name="branch3x3dbl_2"))
        return join(
            Unit(320, name="branch1x1")(x),
            Unit(384, (1, 3), name="branch3x3_2a")(short),
            Unit(384, (3, 1), name="branch3x3_2b")(short),
            Unit(384, (1, 3), name="branch3x3dbl_3a")(long),
            Unit(384, (3, 1), name="branch3x3dbl_3b")(long),
            chain(x, self.pool, Unit(192, name="branch_pool")),
        )
