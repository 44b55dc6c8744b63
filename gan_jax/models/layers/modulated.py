"""What styles and noise do to the maps of StyleGAN's generators: `Modulated`, `adain`, `Noise`."""

from __future__ import annotations

import zlib

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.core.randomness import example_keys
from gan_jax.models.layers.equalised import Equalised
from gan_jax.models.layers.fir import Taps, convolve_fir_up
from gan_jax.models.layers.precision import at_least_float32
from gan_jax.models.layers.resample import same
from gan_jax.utils.checks import check_count, check_kernel

Array = jax.Array


class Modulated(nn.Module):
    """Convolution whose kernel's input channels each example scales by its style, without a bias.

    Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN", arXiv:1912.04958, section 2.2
    and appendix B: w'_ijk = s_i w_ijk, and w''_ijk = w'_ijk / sqrt(sum over i, k of w'_ijk^2 + 1e-8). Both
    are factors of channels, so here the inputs are scaled by s and the outputs divided by the root, around
    one convolution for the whole batch: the official code's second form. Its first, a kernel for each
    example, is a grouped convolution, which is slow on CPUs (`experiments/speed/layers.py`).

    Attributes:
        features: channels of the output.
        kernel_size: odd.
        up: whether to double the resolution: `fir.convolve_fir_up`.
        taps: of its filter.
        demodulate: whether to divide by the root; not in the layers that make colours.
        equalised: scale of the kernel.
    """

    features: int
    kernel_size: int = 3
    up: bool = False
    taps: Taps = (1, 3, 3, 1)
    demodulate: bool = True
    equalised: Equalised = Equalised(1.0)

    @nn.compact
    def __call__(self, x: Array, style: Array) -> Array:
        """x [B, H, W, C], style [B, C] -> [B, H or 2H, W or 2W, features] in x's precision."""
        check_count(self.features, "features")
        check_kernel(self.kernel_size)
        if style.shape != (x.shape[0], x.shape[3]):
            raise ValueError(
                f"maps {x.shape} need styles of shape {(x.shape[0], x.shape[3])}, not {style.shape}"
            )
        k = self.kernel_size
        kernel = self.param("kernel", self.equalised.init, (k, k, x.shape[3], self.features))
        kernel, style = self.equalised.kernel(kernel), at_least_float32(style)
        x = (x * style[:, None, None, :].astype(x.dtype)).astype(x.dtype)
        w = kernel.astype(x.dtype)
        y = convolve_fir_up(x, w, self.taps) if self.up else same(x, w)
        if self.demodulate:
            with jax.named_scope("demodulation"):
                squares = jnp.square(style) @ jnp.sum(jnp.square(kernel), (0, 1))
            y = at_least_float32(y) * jax.lax.rsqrt(squares + 1e-8)[:, None, None, :]
        return y.astype(x.dtype)


def adain(x: Array, style: Array, epsilon: float = 1e-8) -> Array:
    """Maps with mean 0 and variance 1 in each channel, times (s0 + 1), plus s1.

    Huang and Belongie 2017, arXiv:1703.06868, as StyleGAN has it (Karras et al. 2019, arXiv:1812.04948,
    equation 1; the one is the official code's). Computed in float32, given in x's precision.

    Args:
        x: [B, H, W, C].
        style: [B, 2 * C], s0 and s1.
        epsilon: added to the variance.
    """
    if style.shape != (x.shape[0], 2 * x.shape[3]):
        raise ValueError(
            f"maps {x.shape} need styles of shape {(x.shape[0], 2 * x.shape[3])}, not {style.shape}"
        )
    y = at_least_float32(x)
    y = y - jnp.mean(y, (1, 2), keepdims=True)
    y = y * jax.lax.rsqrt(jnp.mean(jnp.square(y), (1, 2), keepdims=True) + epsilon)
    scale, shift = jnp.split(at_least_float32(style)[:, None, None, :], 2, axis=-1)
    return (y * (scale + 1) + shift).astype(x.dtype)


class Noise(nn.Module):
    """x [B, H, W, C] plus a learned weight (0 at the start) times one map of normal numbers for all channels.

    Karras et al. 2019, arXiv:1812.04948, section 3.2. With the stream "noise" each example has a map of its
    own, the same however the batch is split. Without it all have one that is fixed, by the layer's place in
    the network.

    Attributes:
        per_channel: a weight for each channel (StyleGAN), not one for all (StyleGAN2).
        axis_name: the mapped axis that splits the batch.
    """

    per_channel: bool = False
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        weight = self.param("weight", nn.initializers.zeros, (x.shape[3],) if self.per_channel else ())
        shape = (x.shape[1], x.shape[2], 1)
        if self.has_rng("noise") and not self.is_initializing():
            keys = example_keys(self.make_rng("noise"), x.shape[0], self.axis_name)
            noise = jax.vmap(lambda key: jax.random.normal(key, shape))(keys)
        else:
            name = zlib.crc32("/".join(self.path).encode())
            noise = jax.random.normal(jax.random.fold_in(jax.random.key(0), name), (1, *shape))
        return (at_least_float32(x) + weight * noise).astype(x.dtype)
