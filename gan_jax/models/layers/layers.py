"""Layers that networks share. Images are [B, H, W, C].

A layer computes in the precision of its input, float32 or bfloat16, and gives its output in the same; its
parameters are float32 and are cast at their use. Spectral norms are of the float32 kernels.

Every layer with something random or with batch statistics has the field `axis_name`: the name of the
mapped axis that splits the batch under `pmap` or `shard_map`, None under `jit`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.core import launches
from gan_jax.core.randomness import drop_threshold, example_keys, keep_mask
from gan_jax.models.layers import conv, conv_groups
from gan_jax.models.layers.equalised import Equalised, check_alone
from gan_jax.models.layers.fir import Taps, convolve_fir_down, convolve_fir_up
from gan_jax.models.layers.precision import add_bias, at_least_float32
from gan_jax.models.layers.resample import convolve_doubled, convolve_halved
from gan_jax.models.layers.spectral import spectral_normalise

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
    "orthogonal": nn.initializers.orthogonal(),  # Saxe et al. 2014, arXiv:1312.6120; BigGAN's
}
UPSAMPLINGS = ("transpose", "nearest", "bilinear")


def choose(table: dict[str, T], name: str, field: str) -> T:
    """table[name], or an error that lists the choices."""
    if name not in table:
        raise ValueError(f"{field}={name!r} is not one of {', '.join(sorted(table))}")
    return table[name]


def as_image(x: Array) -> Array:
    """tanh(x), float32 in (-1, 1), whatever x is: bfloat16 has only 128 numbers from 1/2 to 1."""
    return jnp.tanh(at_least_float32(x))


# A generator's last layer, [..., C] -> [..., C]: of images, points, shares of the kinds of tiles; "relu" is
# that of Volz et al. 2018 (arXiv:1805.00728) for tiles.
OUTPUTS: dict[str, Callable[[Array], Array]] = {
    "tanh": as_image,
    "linear": lambda x: x,
    "softmax": lambda x: jax.nn.softmax(at_least_float32(x), axis=-1),
    "relu": lambda x: jax.nn.relu(at_least_float32(x)),
}


def reflect(x: Array, pad: tuple[int, int]) -> Array:
    """[B, H, W, C] with `pad` = (before, after) mirrored rows and columns; the edge itself is not repeated.

    Raises:
        ValueError: a side that is too small to mirror.
    """
    if any(
        side <= max(pad) for side in x.shape[1:3]
    ):  # of sides that `jax.export` leaves open, neither is the smaller
        raise ValueError(
            f"padding by reflection needs maps of more than {max(pad)} pixels a side, not {x.shape[1]}x"
            f"{x.shape[2]}: use larger images"
        )
    return jnp.pad(x, ((0, 0), pad, pad, (0, 0)), mode="reflect")


class Dense(nn.Module):
    """Dense layer on the last axis with the kernel [in, out]: `nn.Dense`, with spectral normalisation.

    `train` matters only with `spectral_norm` (`layers.spectral`), where it moves the estimate. With
    `equalised` the kernel starts as that says, whatever `kernel_init` is.
    """

    features: int
    use_bias: bool = True
    kernel_init: Initializer = INITIALIZERS["glorot_uniform"]
    spectral_norm: bool = False
    power_iterations: int = 1
    bias_init: Initializer = nn.initializers.zeros
    equalised: Equalised | None = None

    @nn.compact
    def __call__(self, x: Array, train: bool = False) -> Array:
        check_alone(self.equalised, self.spectral_norm)
        x = jnp.asarray(x)  # a NumPy array may be float64
        init = self.equalised.init if self.equalised else self.kernel_init
        kernel = self.param("kernel", init, (x.shape[-1], self.features))
        if self.spectral_norm:
            kernel = spectral_normalise(self, kernel, train, self.power_iterations)
        kernel = self.equalised.kernel(kernel) if self.equalised else kernel
        y = jax.lax.dot_general(x, kernel.astype(x.dtype), (((x.ndim - 1,), (0,)), ((), ())))
        if self.use_bias:
            bias = self.param("bias", self.bias_init, (self.features,))
            y = add_bias(y, self.equalised.bias(bias) if self.equalised else bias)
        return y


class Embed(nn.Module):
    """Labels int32 [B] in [0, num) -> learned vectors [B, features], float32.

    A label out of range gives NaN, not another class's vector; a negative one counts from the end.
    `train` matters only with `spectral_norm` (`layers.spectral`), where it moves the estimate.
    """

    num: int
    features: int
    embedding_init: Initializer = INITIALIZERS["glorot_uniform"]
    spectral_norm: bool = False
    power_iterations: int = 1

    @nn.compact
    def __call__(self, label: Array, train: bool = False) -> Array:
        if not jnp.issubdtype(label.dtype, jnp.integer):
            raise ValueError(f"an embedding takes labels as integers, not {label.dtype}")
        embedding = self.param("embedding", self.embedding_init, (self.num, self.features))
        if self.spectral_norm:
            embedding = spectral_normalise(self, embedding, train, self.power_iterations)
        return jnp.take(embedding, label, axis=0)


class Conv(nn.Module):
    """Convolution with the kernel [k, k, in / groups, out].

    padding="REFLECT" keeps the size at stride 1 as "SAME" does, with mirrored pixels in the place of zeros.
    `double` is of an image whose resolution is doubled first, `halve` is followed by means of 2x2 pixels
    (`layers.resample`), or with `taps` both filter (`layers.fir`); they have stride 1 and SAME padding.
    `train` matters only with `spectral_norm` (`layers.spectral`), where it moves the estimate. With
    `equalised` the kernel starts as that says.

    Attributes:
        double: the (height, width) to double to; None for no doubling.
        halve: whether to halve the resolution.
        taps: of the filter with which it does either; () for nearest neighbours and means.
        groups: of channels, each of the output's seeing its own of the input's (`layers.conv_groups`).
    """

    features: int
    kernel_size: int
    stride: int = 1
    double: tuple[int, int] | None = None
    halve: bool = False
    use_bias: bool = True
    padding: conv.Padding = "SAME"
    kernel_init: Initializer = INITIALIZERS["glorot_uniform"]
    spectral_norm: bool = False
    power_iterations: int = 1
    equalised: Equalised | None = None
    taps: Taps = ()
    groups: int = 1

    @nn.compact
    def __call__(self, x: Array, train: bool = False) -> Array:
        if x.ndim != 4:
            raise ValueError(f"a convolution takes images [B, H, W, C], not an array of shape {x.shape}")
        check_alone(self.equalised, self.spectral_norm)
        conv_groups.check(self.groups, x.shape[3], self.features, self.double is not None or self.halve)
        x = jnp.asarray(x)  # a NumPy array may be float64
        k = self.kernel_size
        init = self.equalised.init if self.equalised else self.kernel_init
        kernel = self.param("kernel", init, (k, k, x.shape[-1] // self.groups, self.features))
        if self.spectral_norm:
            kernel = spectral_normalise(self, kernel, train, self.power_iterations)
        kernel = self.equalised.kernel(kernel) if self.equalised else kernel
        y = self._convolve(x, kernel.astype(x.dtype))
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
            y = add_bias(y, self.equalised.bias(bias) if self.equalised else bias)
        return y

    def _convolve(self, x: Array, kernel: Array) -> Array:
        if self.double is not None:
            if not self.taps:
                return convolve_doubled(x, kernel, self.double)
            if self.double != (2 * x.shape[1], 2 * x.shape[2]):
                raise ValueError(f"a filter doubles maps {x.shape[1:3]} exactly, not to {self.double}")
            return convolve_fir_up(x, kernel, self.taps)
        if self.halve:
            return convolve_fir_down(x, kernel, self.taps) if self.taps else convolve_halved(x, kernel)
        k, s, mirrored = self.kernel_size, self.stride, self.padding == "REFLECT"
        x = reflect(x, ((k - 1) // 2, k // 2)) if mirrored else x
        padding = "VALID" if mirrored else self.padding
        g = conv.geometry((x.shape[1], x.shape[2]), (k, k), (s, s), padding)
        if self.groups > 1:
            return conv_groups.convolve(x, kernel, g, self.groups)
        return conv.convolve(x, kernel, g)


class ConvTranspose(nn.Module):
    """Transposed convolution, as `gan_jax.models.layers.conv` defines it, with the kernel [k, k, out, in].

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
    spectral_norm: bool = False
    power_iterations: int = 1

    @nn.compact
    def __call__(self, x: Array, train: bool = False) -> Array:
        k, s = self.kernel_size, self.stride
        geometry = conv.geometry(self.size, (k, k), (s, s), self.padding)
        if geometry.small != x.shape[1:3]:
            raise ValueError(
                f"a transposed convolution with stride {s} and padding {self.padding} does not take "
                f"{x.shape[1:3]} to {self.size}: its mirror takes {self.size} to {geometry.small}"
            )
        kernel = self.param("kernel", self.kernel_init, (k, k, self.features, x.shape[-1]))
        if self.spectral_norm:
            kernel = spectral_normalise(self, kernel, train, self.power_iterations, out_axis=2)
        kernel = kernel.astype(x.dtype)
        if not self.use_bias:
            return conv.convolve_transpose(x, kernel, geometry)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        if launches.are_costly("gpu") and x.dtype == jnp.float32:
            return conv.transpose_and_add(x, kernel, bias, geometry)
        return add_bias(conv.convolve_transpose(x, kernel, geometry), bias)


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
    spectral_norm: bool = False

    @nn.compact
    def __call__(self, x: Array, train: bool = False) -> Array:
        if self.method == "transpose":
            return ConvTranspose(
                self.features,
                self.kernel_size,
                self.size,
                use_bias=self.use_bias,
                kernel_init=self.kernel_init,
                spectral_norm=self.spectral_norm,
                name="transpose",
            )(x, train)
        if self.method not in UPSAMPLINGS:
            raise ValueError(f"upsampling={self.method!r} is not one of {', '.join(UPSAMPLINGS)}")
        doubled = self.method == "nearest" and self.size == (2 * x.shape[1], 2 * x.shape[2])
        if not doubled:
            x = jax.image.resize(x, (x.shape[0], *self.size, x.shape[3]), self.method)
        return Conv(
            self.features,
            self.kernel_size,
            double=self.size if doubled else None,
            use_bias=self.use_bias,
            kernel_init=self.kernel_init,
            spectral_norm=self.spectral_norm,
            name="conv",
        )(x, train)


class Dropout(nn.Module):
    """Dropout with a mask per example; `rate` is rounded to a multiple of 1/256 (`keep_mask`).

    Attributes:
        always: whether it stays on after training, wherever the network is given a key: dropout as a
            network's only noise (Isola et al. 2017, arXiv:1611.07004, section 3.2.1).
    """

    rate: float
    axis_name: str | None = None
    always: bool = False

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        drop_threshold(self.rate)  # a bad rate is an error also where nothing is dropped
        on = train or (self.always and self.has_rng("dropout"))
        if not on or self.rate == 0.0:
            return x
        keys = example_keys(self.make_rng("dropout"), x.shape[0], self.axis_name)
        mask, kept = keep_mask(keys, x.shape[1:], self.rate)
        return jnp.where(mask, x / kept, 0.0)
