"""Equalised learning rate: weights of variance 1, scaled at every use.

Karras et al. 2018, "Progressive growing of GANs for improved quality, stability, and variation",
arXiv:1710.10196, section 4.1. Adam's steps do not depend on the gradients' scale, so weights of one dynamic
range all learn at one speed. The multiplier is of Karras et al. 2019, arXiv:1812.04948, appendix C, whose
mapping network learns a hundred times as slowly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax

from gan_jax.utils.checks import check_range

Array = jax.Array


@dataclass(frozen=True)
class Equalised:
    """How a layer scales its parameters when it uses them; weights start as N(0, 1) / lr_multiplier.

    Attributes:
        gain: standard deviation of the layer's output for independent inputs of variance 1; He's is sqrt(2).
        lr_multiplier: of the layer's learning rate: Adam moves what the layer uses by that much less.
    """

    gain: float = 2**0.5
    lr_multiplier: float = 1.0

    def __post_init__(self) -> None:
        for field, value in (("gain", self.gain), ("lr_multiplier", self.lr_multiplier)):
            if not check_range(value, field) > 0.0:
                raise ValueError(f"{field}={value!r}: it must be positive")

    def init(self, *args: Any) -> Array:
        """The initializer of the weights."""
        return nn.initializers.normal(1.0 / self.lr_multiplier)(*args)

    def kernel(self, kernel: Array) -> Array:
        """The kernel [..., in, out] that the layer uses: times gain * lr_multiplier / sqrt(fan in)."""
        return kernel * (self.gain * self.lr_multiplier / math.sqrt(math.prod(kernel.shape[:-1])))

    def bias(self, bias: Array) -> Array:
        """The bias that the layer uses: times lr_multiplier."""
        return bias * self.lr_multiplier


def check_alone(equalised: Equalised | None, spectral_norm: bool) -> None:
    """A spectral norm divides by whatever a kernel is multiplied by.

    Raises:
        ValueError: both.
    """
    if equalised is not None and spectral_norm:
        raise ValueError("spectral_norm=True undoes the scale of an equalised learning rate: use one of them")
