"""The U-Net of diffusion models: residual blocks that are told the noise level, with skips at every block.

Two published ones, each a choice of `block`:

- "ddpm": Ho et al. 2020, arXiv:2006.11239, appendix B. Resolutions change by a convolution with stride 2, and
  by doubled pixels and a convolution; attention follows every block of its resolution.
- "ddpm++": Song et al. 2021, arXiv:2011.13456, appendix H, as arXiv:2206.00364 has it. Residual blocks change
  the resolution, sums are scaled by sqrt(1/2), and on the way up attention follows the last block only.

Compared with github.com/hojonathanho/diffusion and github.com/NVlabs/edm. Deviations: groups of norms have at
least four channels, as in EDM, which matters for narrow networks only.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.models.layers.denoiser import Denoiser, nearly_zero
from gan_jax.models.layers.layers import INITIALIZERS, Conv, Dense, Dropout
from gan_jax.models.layers.norms import Norm
from gan_jax.models.layers.precision import at_least_float32
from gan_jax.models.layers.remat import remat_block
from gan_jax.models.layers.resample import average_pool, nearest
from gan_jax.utils.checks import check_count, check_widths, is_count

Array = jax.Array

BLOCKS = ("ddpm", "ddpm++")
XAVIER = INITIALIZERS["glorot_uniform"]


def group_norm(x: Array, name: str) -> Array:
    """32 groups at most, of four channels at least; to be called inside a compact method."""
    groups = min(32, max(x.shape[-1] // 4, 1))
    return Norm("group", epsilon=1e-6, groups=groups, name=name)(x, None, True)


class PixelAttention(nn.Module):
    """x + what each position of x [B, H, W, C] sees of all others: one head of C channels.

    Attributes:
        gain: of the first weights of queries, keys and values.
    """

    gain: float = 1.0

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        b, h, w, c = x.shape
        init = lambda *args: self.gain * XAVIER(*args)
        y = group_norm(x, "norm").reshape(b, h * w, c)
        query, key, value = (
            Dense(c, kernel_init=init, name=name)(y, train) for name in ("query", "key", "value")
        )
        alike = jnp.einsum("bic,bjc->bij", query, key) * c**-0.5
        weights = jax.nn.softmax(at_least_float32(alike), axis=-1).astype(x.dtype)
        seen = jnp.einsum("bij,bjc->bic", weights, value)
        return x + Dense(c, kernel_init=nearly_zero, name="output")(seen, train).reshape(b, h, w, c)


class DenoisingBlock(nn.Module):
    """norm, SiLU, conv, plus a layer of the time's vector; norm, SiLU, dropout, conv; plus the shortcut.

    Attributes:
        resample: "none", "down" (means of 2x2 pixels before the first convolution) or "up" (doubled ones).
        attention: whether it follows.
        scaled: whether each sum is scaled by sqrt(1/2).
    """

    features: int
    resample: str = "none"
    attention: bool = False
    scaled: bool = False
    dropout: float = 0.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Array, told: Array, train: bool) -> Array:
        scale = 0.5**0.5 if self.scaled else 1.0
        y = jax.nn.silu(group_norm(x, "norm_0"))
        if self.resample == "down":
            x, y = average_pool(x), average_pool(y)
        double = (2 * x.shape[1], 2 * x.shape[2]) if self.resample == "up" else None
        y = Conv(self.features, 3, double=double, name="conv_0")(y)
        y = y + Dense(self.features, name="time")(told.astype(y.dtype))[:, None, None, :]
        y = jax.nn.silu(group_norm(y, "norm_1"))
        y = Dropout(self.dropout, self.axis_name, name="dropout")(y, train)
        y = Conv(self.features, 3, kernel_init=nearly_zero, name="conv_1")(y)
        if x.shape[-1] != self.features or self.resample != "none":
            x = Conv(self.features, 1, name="shortcut")(x)
        x = (y + (x if double is None else nearest(x, double))) * scale
        if self.attention:
            gain = 0.2**0.5 if self.scaled else 1.0
            x = PixelAttention(gain, name="attention")(x, train) * scale
        return x


class DiffusionUNet(Denoiser):
    """Noisy images [B, H, W, C] -> [B, H, W, C], of sides that halve evenly: 28 -> 14 -> 7 with three levels.

    Attributes, beside those of `Denoiser`:
        width: channels of the first map.
        multipliers: of the width, for each level of resolution from the full one on.
        depth: residual blocks of each level on the way down; one more on the way up.
        attention_sizes: heights of the maps whose blocks are followed by attention, as those between down and
            up are always.
        dropout: in the residual blocks, per example.
        block: "ddpm" or "ddpm++".
    """

    width: int = 128
    multipliers: tuple[int, ...] = (1, 2, 2, 2)
    depth: int = 2
    attention_sizes: tuple[int, ...] = (16,)
    dropout: float = 0.0
    block: str = "ddpm"

    @nn.compact
    def __call__(self, x: Array, time: Array, label: Array | None, train: bool) -> Array:
        """The answer; dropout is drawn by example from the stream "dropout".

        Raises:
            ValueError: fields that make no network; sides that do not halve evenly; see `check_label`.
        """
        self._check(x)
        told = self.embed(time, label, self.width, 4 * self.width, train)
        plus, levels = self.block == "ddpm++", len(self.multipliers)

        def residual(x: Array, name: str, level: int, attention: bool, resample: str = "none") -> Array:
            def make(net: DiffusionUNet, x: Array, told: Array) -> Array:
                features = net.width * net.multipliers[level]
                return DenoisingBlock(
                    features, resample, attention, plus, net.dropout, net.axis_name, name=name
                )(x, told, train)

            return remat_block(self, make, x, told)

        def sees(x: Array) -> bool:
            return x.shape[1] in self.attention_sizes

        x = Conv(self.width, 3, name="first")(x)
        skips = [x]
        for level in range(levels):
            if level > 0:
                name = f"down_{level}"
                x = residual(x, name, level - 1, False, "down") if plus else self._down(x, name)
                skips.append(x)
            for index in range(self.depth):
                x = residual(x, f"down_{level}_{index}", level, sees(x))
                skips.append(x)
        x = residual(x, "middle_0", levels - 1, True)
        x = residual(x, "middle_1", levels - 1, False)
        for level in reversed(range(levels)):
            for index in range(self.depth + 1):
                x = jnp.concatenate([x, skips.pop()], axis=-1)
                last = index == self.depth
                x = residual(x, f"up_{level}_{index}", level, sees(x) and (last or not plus))
            if level > 0:
                name = f"up_{level}"
                x = residual(x, name, level, False, "up") if plus else self._up(x, name)
        # What comes out is finer than an image's 256 levels.
        x = at_least_float32(jax.nn.silu(group_norm(x, "norm")))
        return Conv(self.image_shape[2], 3, kernel_init=nearly_zero, name="last")(x)

    def _check(self, x: Array) -> None:
        check_count(self.width, "width")
        check_count(self.depth, "depth")
        check_widths(self.multipliers, "multipliers")
        if not (isinstance(self.attention_sizes, tuple) and all(map(is_count, self.attention_sizes))):
            raise ValueError(
                f"attention_sizes={self.attention_sizes!r}: it must be a tuple of heights of maps, such as "
                "(16,), or () for attention between down and up alone"
            )
        if self.block not in BLOCKS:
            raise ValueError(f"block={self.block!r} is not one of {', '.join(BLOCKS)}")
        if x.ndim != 4:
            raise ValueError(f"a U-Net takes images [B, H, W, C], not an array of shape {x.shape}")
        unit = 2 ** (len(self.multipliers) - 1)
        if x.shape[1] % unit or x.shape[2] % unit:
            raise ValueError(
                f"images of {x.shape[1]}x{x.shape[2]} do not halve {len(self.multipliers) - 1} times: give "
                "multipliers fewer numbers"
            )

    def _down(self, x: Array, name: str) -> Array:
        return Conv(x.shape[-1], 3, stride=2, name=name)(x)

    def _up(self, x: Array, name: str) -> Array:
        return Conv(x.shape[-1], 3, double=(2 * x.shape[1], 2 * x.shape[2]), name=name)(x)
