"""Invertible layers: each maps x [B, H, W, C] to y of the same shape, and says ln |det dy/dx| [B].

Dinh et al. 2017, "Density estimation using Real NVP", arXiv:1605.08803; Kingma and Dhariwal 2018, "Glow",
arXiv:1807.03039. All but the insides of couplings is float32: a determinant and an inverse have no digits to
lose.
"""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.models.layers.layers import Conv, Dense
from gan_jax.models.layers.precision import at_least_float32
from gan_jax.models.layers.remat import remat_block

Array = jax.Array

START = "start"  # the collection of what actnorm measured of its first batch
FIXED = "fixed"  # the collection of what no training changes
MOST_LOG_SCALE = 2.0  # a coupling stretches by exp(2) = 7.4 at most
_EPSILON = 1e-6


class ActNorm(nn.Module):
    """(x - mean) / std * exp(log_scale) + bias by channel, with mean and std of the first batch.

    Glow's, section 3.1. There the first batch sets scale and bias themselves; here they are learned beside
    what it says, which stays as it is and which a moving average need not follow.

    Attributes:
        channels: C.
        axis_name: the mapped axis that splits the batch.
    """

    channels: int
    axis_name: str | None = None

    def setup(self) -> None:
        shape = (self.channels,)
        self.bias = self.param("bias", nn.initializers.zeros, shape)
        self.log_scale = self.param("log_scale", nn.initializers.zeros, shape)
        self.mean = self.variable(START, "mean", jnp.zeros, shape)
        self.log_std = self.variable(START, "log_std", jnp.zeros, shape)

    def __call__(self, x: Array, start: bool = False) -> tuple[Array, Array]:
        """Where `start`, mean and std become those of the global batch, unless they were set before."""
        if start:
            self._measure(x)
        log_scale = self.log_scale - self.log_std.value
        y = (x - self.mean.value) * jnp.exp(log_scale) + self.bias
        return y, jnp.full(x.shape[0], jnp.sum(log_scale) * math.prod(x.shape[1:-1]))

    def inverse(self, y: Array) -> Array:
        return (y - self.bias) * jnp.exp(self.log_std.value - self.log_scale) + self.mean.value

    def _measure(self, x: Array) -> None:
        def mean_of(values: Array) -> Array:
            local = jnp.mean(values, axis=tuple(range(values.ndim - 1)))
            return jax.lax.pmean(local, self.axis_name) if self.axis_name else local

        mean = mean_of(x)
        log_std = 0.5 * jnp.log(mean_of(jnp.square(x - mean)) + _EPSILON)
        is_set = jnp.any(self.mean.value != 0) | jnp.any(self.log_std.value != 0)
        self.mean.value = jnp.where(is_set, self.mean.value, mean)
        self.log_std.value = jnp.where(is_set, self.log_std.value, log_std)


class Invertible1x1(nn.Module):
    """The channels of each pixel times one matrix P L U: a 1x1 convolution (Glow, section 3.2).

    The permutation P and the signs of U's diagonal stay what they are in a random rotation.

    Attributes:
        channels: C.
    """

    channels: int

    def setup(self) -> None:
        shape = (self.channels, self.channels)
        if self.is_initializing():
            rotation = nn.initializers.orthogonal()(self.make_rng("params"), shape)
            permutation, lower, upper = jax.scipy.linalg.lu(rotation)
        else:
            permutation = lower = upper = jnp.eye(self.channels)
        diagonal = jnp.diag(upper)
        self.lower = self.param("lower", lambda key: jnp.tril(lower, -1))
        self.upper = self.param("upper", lambda key: jnp.triu(upper, 1))
        self.log_diagonal = self.param("log_diagonal", lambda key: jnp.log(jnp.abs(diagonal)))
        self.permutation = self.variable(FIXED, "permutation", lambda: permutation)
        self.sign = self.variable(FIXED, "sign", lambda: jnp.sign(diagonal))

    def __call__(self, x: Array) -> tuple[Array, Array]:
        permutation, lower, upper = self._parts()
        matrix = jnp.matmul(permutation, jnp.matmul(lower, upper, precision="highest"), precision="highest")
        log_det = jnp.sum(self.log_diagonal) * math.prod(x.shape[1:-1])
        return jnp.matmul(x, matrix.T, precision="highest"), jnp.full(x.shape[0], log_det)

    def inverse(self, y: Array) -> Array:
        permutation, lower, upper = self._parts()
        solve = jax.scipy.linalg.solve_triangular
        matrix = solve(upper, solve(lower, permutation.T, lower=True, unit_diagonal=True))
        return jnp.matmul(y, matrix.T, precision="highest")

    def _parts(self) -> tuple[Array, Array, Array]:
        """P, L and U; a moving average may have rounded what stays."""
        lower = jnp.tril(self.lower, -1) + jnp.eye(self.channels)
        diagonal = jnp.sign(self.sign.value) * jnp.exp(self.log_diagonal)
        return jnp.round(self.permutation.value), lower, jnp.triu(self.upper, 1) + jnp.diag(diagonal)


class Net(nn.Module):
    """What a coupling computes: [B, H, W, c] -> [B, H, W, outputs] float32, zeros at the start.

    Attributes:
        outputs: channels.
        widths: of the hidden layers: dense ones of points; of images two, a 3x3 and a 1x1 convolution, before
            a last 3x3 (Glow, section 3.3).
        of_images: which of the two.
        precision: of the hidden layers.
    """

    outputs: int
    widths: tuple[int, ...]
    of_images: bool
    precision: str = "float32"

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = x.astype(self.precision)
        for index, features in enumerate(self.widths):
            layer: Any = Conv(features, 3, name="conv_0") if self.of_images and index == 0 else None
            x = jax.nn.relu((layer or Dense(features, name=f"dense_{index}"))(x))
        zeros: Any = nn.initializers.zeros
        x = at_least_float32(x)
        if self.of_images:
            return Conv(self.outputs, 3, kernel_init=zeros, name="output")(x)
        return Dense(self.outputs, kernel_init=zeros, name="output")(x)


class Coupling(nn.Module):
    """Half of the channels stretched and moved as the other half says.

    y = b * exp(s(a)) + t(a) with |s| < 2, for numbers that stay finite.

    Attributes:
        channels: C, at least 2.
        widths, of_images, precision: of its network, see `Net`.
    """

    channels: int
    widths: tuple[int, ...]
    of_images: bool
    precision: str = "float32"

    def setup(self) -> None:
        self.net = Net(2 * (self.channels - self.kept), self.widths, self.of_images, self.precision)

    @property
    def kept(self) -> int:
        """Channels that stay."""
        return self.channels // 2

    def __call__(self, x: Array) -> tuple[Array, Array]:
        a, b = x[..., : self.kept], x[..., self.kept :]
        log_scale, shift = self._stretch(a)
        b = b * jnp.exp(log_scale) + shift
        return jnp.concatenate([a, b], -1), jnp.sum(log_scale.reshape(x.shape[0], -1), axis=1)

    def inverse(self, y: Array) -> Array:
        a, b = y[..., : self.kept], y[..., self.kept :]
        log_scale, shift = self._stretch(a)
        return jnp.concatenate([a, (b - shift) * jnp.exp(-log_scale)], -1)

    def _stretch(self, a: Array) -> tuple[Array, Array]:
        raw, shift = jnp.split(self.net(a), 2, axis=-1)
        return MOST_LOG_SCALE * jnp.tanh(raw / MOST_LOG_SCALE), shift


class Step(nn.Module):
    """Actnorm, the invertible 1x1 convolution and a coupling (Glow, figure 2); fields as there.

    Its methods are bodies of a scan, see `steps`.
    """

    channels: int
    widths: tuple[int, ...]
    of_images: bool
    precision: str = "float32"
    remat: bool = False
    axis_name: str | None = None

    def setup(self) -> None:
        self.norm = ActNorm(self.channels, self.axis_name)
        self.mix = Invertible1x1(self.channels)
        self.coupling = Coupling(self.channels, self.widths, self.of_images, self.precision)

    def forward(self, x: Array) -> tuple[Array, Array]:
        """x afterwards, and ln |det| [B]."""
        return remat_block(self, lambda step, x: step._forward(x, False), x)

    def start(self, x: Array) -> tuple[Array, Array]:
        """The same, and actnorm measures x."""
        return self._forward(x, True)

    def backward(self, y: Array) -> tuple[Array, None]:
        """What `forward` makes y of."""
        return self.norm.inverse(self.mix.inverse(self.coupling.inverse(y))), None

    def _forward(self, x: Array, start: bool) -> tuple[Array, Array]:
        x, of_norm = self.norm(x, start)
        x, of_mix = self.mix(x)
        x, of_coupling = self.coupling(x)
        return x, of_norm + of_mix + of_coupling


def steps(count: int, **fields: Any) -> Any:
    """`count` steps, one after the other, as one module with the methods of `Step`.

    They are one loop: the program has one step, however many there are. What the methods give beside x is
    stacked, [count, B].
    """
    axes = dict.fromkeys(("params", START, FIXED), 0)
    loop: dict[str, Any] = dict(variable_axes=axes, split_rngs={"params": True}, length=count)
    methods = {"forward": loop, "start": loop, "backward": loop | {"reverse": True}}
    return nn.scan(Step, methods=methods)(**fields)


def squeeze(x: Array) -> Array:
    """[B, 2 H, 2 W, C] -> [B, H, W, 4 C]: blocks of 2x2 pixels as channels."""
    count, height, width, channels = x.shape
    x = x.reshape(count, height // 2, 2, width // 2, 2, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(count, height // 2, width // 2, 4 * channels)


def unsqueeze(y: Array) -> Array:
    """[B, H, W, 4 C] -> [B, 2 H, 2 W, C], the inverse of `squeeze`."""
    count, height, width, channels = y.shape
    y = y.reshape(count, height, width, 2, 2, channels // 4)
    return y.transpose(0, 1, 3, 2, 4, 5).reshape(count, 2 * height, 2 * width, channels // 4)
