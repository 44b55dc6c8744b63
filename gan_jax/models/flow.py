"""Normalising flows: invertible networks from examples to normal latents of the same length.

`Glow`: Kingma and Dhariwal 2018, arXiv:1807.03039, figure 2b. What leaves at a split is made standard normal
given what stays, by a coupling: that is its learned prior, and all latents are N(0, 1). `MLPFlow`: the same
steps without a grid, for points, as RealNVP (Dinh et al. 2017, arXiv:1605.08803) with learned permutations.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.models.layers.flows import Coupling, squeeze, steps, unsqueeze
from gan_jax.utils.checks import check_count, check_widths

Array = jax.Array


class Flow(nn.Module):
    """Base: images [B, *image_shape] -> latents [B, D] and ln |det| [B]; `inverse` makes images of latents.

    A level is squeezed if `squeezes`, then goes through `steps` steps; between two levels half of the
    channels leave.

    Attributes:
        image_shape: (height, width, channels) of the data.
        levels: how often the image is halved.
        steps: of each level.
        precision: of the insides of couplings; what goes through the flow is float32.
        remat: whether gradients keep only what enters each step, see `models.layers.remat`.
        axis_name: the mapped axis that splits the batch.
    """

    conditional: ClassVar[bool] = False
    output: ClassVar[str] = "linear"
    squeezes: ClassVar[bool] = True

    image_shape: tuple[int, int, int]
    levels: int = 2
    steps: int = 8
    precision: str = "float32"
    remat: bool = False
    axis_name: str | None = None

    @property
    def hidden(self) -> tuple[int, ...]:
        """Widths of the hidden layers of a coupling."""
        raise NotImplementedError

    def setup(self) -> None:
        check_count(self.levels, "levels")
        check_count(self.steps, "steps")
        height, width, channels = self._grid()
        if self.squeezes and (height % 2**self.levels or width % 2**self.levels):
            raise ValueError(
                f"levels={self.levels} halves both sides {self.levels} times, and images of {height}x{width} "
                "do not halve so often: set fewer generator.levels"
            )
        shared: dict[str, Any] = dict(widths=self.hidden, of_images=self.squeezes, precision=self.precision)
        flow, leave = [], []
        for level in range(self.levels):
            channels = 4 * channels if self.squeezes else channels
            if channels < 2:
                raise ValueError(
                    f"a flow couples two halves, and of {self.image_shape} level {level} has a single value "
                    "left: set fewer generator.levels"
                )
            own = dict(channels=channels, remat=self.remat, axis_name=self.axis_name)
            flow.append(steps(self.steps, **shared, **own))
            if level + 1 < self.levels:
                leave.append(Coupling(channels, **shared))
                channels = channels // 2
        self.flow, self.leave = flow, leave

    def __call__(self, image: Array, told: None, train: bool) -> tuple[Array, Array]:
        """Latents [B, D], ln |det d latent / d image| [B]."""
        return self._forward(image, False)

    def start(self, image: Array, told: None, train: bool) -> tuple[Array, Array]:
        """The same, and what actnorm starts from is measured of these images."""
        return self._forward(image, True)

    def _forward(self, x: Array, start: bool) -> tuple[Array, Array]:
        x = x.reshape(-1, *self._grid())
        log_det = jnp.zeros(x.shape[0])
        left = []
        for level in range(self.levels):
            x = squeeze(x) if self.squeezes else x
            x, found = self.flow[level].start(x) if start else self.flow[level].forward(x)
            log_det += jnp.sum(found, axis=0)
            if level + 1 < self.levels:
                x, found = self.leave[level](x)
                log_det += found
                kept = self.leave[level].kept
                left.append(x[..., kept:])
                x = x[..., :kept]
        flat = [part.reshape(part.shape[0], -1) for part in (*left, x)]
        return jnp.concatenate(flat, axis=1), log_det

    def inverse(self, latent: Array, told: None, train: bool) -> Array:
        """Images [B, *image_shape] of latents [B, D]."""
        shapes = self._shapes()
        ends = [0]
        for shape in shapes:
            ends.append(ends[-1] + math.prod(shape))
        parts = [
            latent[:, first:last].reshape(-1, *shape)
            for first, last, shape in zip(ends[:-1], ends[1:], shapes, strict=True)
        ]
        x = parts.pop()
        for level in reversed(range(self.levels)):
            if level + 1 < self.levels:
                x = self.leave[level].inverse(jnp.concatenate([x, parts.pop()], axis=-1))
            x, _ = self.flow[level].backward(x)
            x = unsqueeze(x) if self.squeezes else x
        return x.reshape(-1, *self.image_shape)

    def _grid(self) -> tuple[int, int, int]:
        """The image's shape, or all of its values as channels of one place where nothing is squeezed."""
        return self.image_shape if self.squeezes else (1, 1, math.prod(self.image_shape))

    def _shapes(self) -> list[tuple[int, int, int]]:
        """Of what leaves at each split, and of what is left at the end."""
        height, width, channels = self._grid()
        shapes = []
        for level in range(self.levels):
            if self.squeezes:
                height, width, channels = height // 2, width // 2, 4 * channels
            if level + 1 < self.levels:
                shapes.append((height, width, channels - channels // 2))
                channels = channels // 2
        return [*shapes, (height, width, channels)]


class Glow(Flow):
    """For images whose sides halve `levels` times.

    Attributes, beside those of `Flow`:
        width: of the two hidden layers of each coupling, 3x3 and 1x1 convolutions; Glow's has 512.
    """

    width: int = 64

    @property
    def hidden(self) -> tuple[int, ...]:
        check_count(self.width, "width")
        return (self.width, self.width)


class MLPFlow(Flow):
    """For points [B, 1, 1, D], or other examples of at least two values without regard to their grid.

    Attributes, beside those of `Flow`:
        widths: of the hidden layers of each coupling.
    """

    squeezes: ClassVar[bool] = False

    levels: int = 1
    widths: tuple[int, ...] = (64, 64)

    @property
    def hidden(self) -> tuple[int, ...]:
        check_widths(self.widths)
        return self.widths
