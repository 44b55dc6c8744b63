"""Layers that networks share. Images are [B, H, W, C], float32.

Every layer with something random or with batch statistics has the field `axis`: the name of the
mapped axis that splits the batch under `pmap` or `shard_map`, None under `jit`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.checks import check_decay
from gan_jax.models import conv
from gan_jax.noise import drop_threshold, example_keys, keep_mask

Array = jax.Array
T = TypeVar("T")
Initializer = Callable[..., Array]

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,
    "leaky_relu": lambda x: jax.nn.leaky_relu(x, 0.2),  # Radford et al. and both courses use 0.2
    "selu": jax.nn.selu,
    "elu": jax.nn.elu,
    "tanh": jnp.tanh,
    "silu": jax.nn.silu,
}
INITIALIZERS: dict[str, Initializer] = {
    "glorot_uniform": nn.initializers.glorot_uniform(),  # Keras's default
    "normal": nn.initializers.normal(0.02),  # Radford et al. 2016, section 4
}
UPSAMPLINGS = ("transpose", "nearest", "bilinear")


def choose(table: dict[str, T], name: str, field: str) -> T:
    """table[name], or an error that lists the choices."""
    if name not in table:
        raise ValueError(f"{field}={name!r} is not one of {', '.join(sorted(table))}")
    return table[name]


class Conv(nn.Module):
    """Convolution with the kernel [k, k, in, out]."""

    features: int
    kernel_size: int
    stride: int = 1
    use_bias: bool = True
    padding: conv.Padding = "SAME"
    kernel_init: Initializer = INITIALIZERS["glorot_uniform"]

    @nn.compact
    def __call__(self, x: Array) -> Array:
        if x.ndim != 4:
            raise ValueError(f"a convolution takes images [B, H, W, C], not an array of shape {x.shape}")
        k, s = self.kernel_size, self.stride
        kernel = self.param("kernel", self.kernel_init, (k, k, x.shape[-1], self.features))
        y = conv.convolve(x, kernel, conv.geometry((x.shape[1], x.shape[2]), (k, k), (s, s), self.padding))
        if self.use_bias:
            y = y + self.param("bias", nn.initializers.zeros, (self.features,))
        return y


class ConvTranspose(nn.Module):
    """Transposed convolution, as `gan_jax.models.conv` defines it, with the kernel [k, k, out, in].

    `size` is the (height, width) of the output: the mirror convolution must map it back to the
    input's, so with stride 2 and SAME padding it is twice the input's, or one less.
    """

    features: int
    kernel_size: int
    size: tuple[int, int]
    stride: int = 2
    use_bias: bool = True
    padding: conv.Padding = "SAME"
    kernel_init: Initializer = INITIALIZERS["glorot_uniform"]

    @nn.compact
    def __call__(self, x: Array) -> Array:
        k, s = self.kernel_size, self.stride
        geometry = conv.geometry(self.size, (k, k), (s, s), self.padding)
        if geometry.small != x.shape[1:3]:
            raise ValueError(
                f"a transposed convolution with stride {s} and padding {self.padding} does not take "
                f"{x.shape[1:3]} to {self.size}: its mirror takes {self.size} to {geometry.small}"
            )
        kernel = self.param("kernel", self.kernel_init, (k, k, self.features, x.shape[-1]))
        y = conv.convolve_transpose(x, kernel, geometry)
        if self.use_bias:
            y = y + self.param("bias", nn.initializers.zeros, (self.features,))
        return y


class Upsample(nn.Module):
    """Doubles the resolution to `size`: a transposed convolution, or resizing and a convolution.

    Resizing first avoids the checkerboard of uneven overlaps (Odena et al. 2016,
    doi:10.23915/distill.00003).
    """

    features: int
    kernel_size: int
    size: tuple[int, int]
    method: str = "transpose"
    use_bias: bool = True
    kernel_init: Initializer = INITIALIZERS["glorot_uniform"]

    @nn.compact
    def __call__(self, x: Array) -> Array:
        if self.method == "transpose":
            return ConvTranspose(
                self.features,
                self.kernel_size,
                self.size,
                use_bias=self.use_bias,
                kernel_init=self.kernel_init,
                name="transpose",
            )(x)
        if self.method not in UPSAMPLINGS:
            raise ValueError(f"upsampling={self.method!r} is not one of {', '.join(UPSAMPLINGS)}")
        x = jax.image.resize(x, (x.shape[0], *self.size, x.shape[3]), self.method)
        return Conv(
            self.features,
            self.kernel_size,
            use_bias=self.use_bias,
            kernel_init=self.kernel_init,
            name="conv",
        )(x)


class BatchNorm(nn.Module):
    """Batch normalisation over the global batch (Ioffe and Szegedy 2015), epsilon 1e-3 as in Keras.

    `momentum` is the weight of the old moving statistics, which are used when `train` is False.
    A layer right before it needs no bias: its true gradient is zero, and Adam would turn the
    rounding noise in it into full-size steps.
    """

    momentum: float = 0.99
    axis: str | None = None

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        check_decay(self.momentum, "momentum")
        norm = nn.BatchNorm(
            use_running_average=not train,
            momentum=self.momentum,
            epsilon=1e-3,
            axis_name=self.axis,
            name="norm",
        )
        return norm(x)


class Dropout(nn.Module):
    """Dropout with a mask per example; `rate` is rounded to a multiple of 1/256 (`keep_mask`)."""

    rate: float
    axis: str | None = None

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        drop_threshold(self.rate)  # a bad rate is an error also where nothing is dropped
        if not train or self.rate == 0.0:
            return x
        keys = example_keys(self.make_rng("dropout"), x.shape[0], self.axis)
        mask, kept = keep_mask(keys, x.shape[1:], self.rate)
        return jnp.where(mask, x / kept, 0.0)
