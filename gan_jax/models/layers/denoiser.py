"""What networks that remove noise share: how a noise level and a label enter."""

from __future__ import annotations

from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.models.layers.conditioning import check_label, choose_condition
from gan_jax.models.layers.layers import INITIALIZERS, Dense

Array = jax.Array

CONDITIONS = ("none", "one_hot")


def nearly_zero(*args: Any) -> Array:
    """Weights where a block, or the network, is to begin as nothing, as both papers' codes have them."""
    return 1e-5 * INITIALIZERS["glorot_uniform"](*args)


def sinusoids(time: Array, size: int) -> Array:
    """Times float32 [B] -> float32 [B, size]: cosines and sines of frequencies from 1 to 1/10,000.

    Vaswani et al. 2017, arXiv:1706.03762, section 3.5, with both ends as in DDPM's code. An odd size has a
    zero at the end.
    """
    half = size // 2
    powers = jnp.arange(half, dtype=jnp.float32) / max(half - 1, 1)
    angles = time.astype(jnp.float32)[:, None] * 10_000.0**-powers
    waves = jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=1)
    return jnp.pad(waves, ((0, 0), (0, size % 2)))


class Denoiser(nn.Module):
    """Base of networks (examples [B, H, W, C], times [B], labels [B] or None, train) -> [B, H, W, C].

    Attributes:
        image_shape: (height, width, channels) of the examples.
        condition: "one_hot": a layer of the label's code is added to the waves of the time; a label that is
            none, such as -1, has the code 0. "none": labels are not read. "auto": "one_hot" where the data
            have classes.
        num_classes: of the data.
        remat: whether gradients keep only the blocks' inputs, see `models.layers.remat`.
        axis_name: the mapped axis that splits the batch.
    """

    output: ClassVar[str] = "linear"  # it answers any number

    image_shape: tuple[int, int, int]
    condition: str = "none"
    num_classes: int | None = None
    remat: bool = False
    axis_name: str | None = None

    def __post_init__(self) -> None:
        choose_condition(self, "one_hot")
        super().__post_init__()

    @property
    def conditional(self) -> bool:
        """Whether the network looks at the label."""
        return self.condition != "none"

    def embed(self, time: Array, label: Array | None, waves: int, size: int, train: bool) -> Array:
        """Times and labels [B] as vectors float32 [B, size]; to be called inside a network's `__call__`.

        Waves, the label's code added to them, and two layers with SiLU; as in EDM's code, which is DDPM's but
        for the label.

        Raises:
            ValueError: see `check_label`.
        """
        check_label(self.condition, CONDITIONS, self.num_classes, label, time.shape[0])
        x = sinusoids(time, waves)
        if self.conditional:
            assert label is not None  # both were checked by `check_label`
            assert self.num_classes is not None
            # Of unit variance, as the waves are.
            code = jax.nn.one_hot(label, self.num_classes) * self.num_classes**0.5
            x = x + Dense(waves, name="label")(code, train)
        x = jax.nn.silu(Dense(size, name="time_0")(x, train))
        return jax.nn.silu(Dense(size, name="time_1")(x, train))
