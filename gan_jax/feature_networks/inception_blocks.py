"""The blocks of Inception v3 (Szegedy et al. 2015, arXiv:1512.00567, figures 5 to 7), for inference.

Images and activations are float32 [B, H, W, C]. Modules are named as PyTorch's files name them, so that a
file's entry and a parameter find each other by name alone.
"""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array
Step = Callable[[Array], Array]

EPSILON = 1e-3  # of the batch norms
ROW, COLUMN, POINT = (1, 7), (7, 1), (1, 1)


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
