"""What networks that make pictures of pictures share."""

from __future__ import annotations

from typing import ClassVar

import flax.linen as nn
import jax

from gan_jax.models.layers.layers import INITIALIZERS, Initializer, choose
from gan_jax.models.layers.norms import Norm

Array = jax.Array

# Both Pix2Pix's and CycleGAN's code draw the gains of norms so.
GAINS = lambda *args: 1.0 + nn.initializers.normal(0.02)(*args)


class Translator(nn.Module):
    """Base of networks from images [B, H, W, C] to images [B, scale H, scale W, image_shape[2]] in (-1, 1).

    They learn the number of channels of their input from it, and are not told labels.

    Attributes:
        image_shape: (height, width, channels) of the images that are made in training; only the channels
            matter.
        norm: a name in `norms.NORMS`.
        affine: whether norms have a gain and a bias.
        momentum: of the moving statistics of norm="batch".
        norm_epsilon: added to the variance by the norm; 0 for its own, see `layers.norms`.
        spectral_norm: of every convolution.
        initializer: a name in `layers.INITIALIZERS`.
        remat: whether gradients keep only the blocks' inputs, see `models.layers.remat`.
        axis_name: the mapped axis that splits the batch.
    """

    conditional: ClassVar[bool] = False
    scale: ClassVar[int] = 1

    image_shape: tuple[int, int, int]
    norm: str = "instance"
    affine: bool = True
    momentum: float = 0.9
    norm_epsilon: float = 0.0
    spectral_norm: bool = False
    initializer: str = "normal"
    remat: bool = False
    axis_name: str | None = None

    @property
    def multiple(self) -> int:
        """The sides of the images are multiples of this."""
        return 1

    @property
    def init_of_kernels(self) -> Initializer:
        """What `initializer` names."""
        return choose(INITIALIZERS, self.initializer, "initializer")

    def normalise(self, norm: str, name: str) -> Norm:
        """A norm of this kind with the network's options; it becomes a part of the network."""
        return Norm(
            norm,
            self.momentum,
            self.norm_epsilon,
            axis_name=self.axis_name,
            affine=self.affine,
            scale_init=GAINS,
            name=name,
        )

    def check_sides(self, x: Array) -> None:
        """Raises a ValueError, with the next good sizes, unless the sides are multiples of `multiple`."""
        if x.ndim != 4:
            raise ValueError(f"a translator takes images [B, H, W, C], not an array of shape {x.shape}")
        sides, unit = (x.shape[1], x.shape[2]), self.multiple
        if any(side % unit for side in sides):
            above = "x".join(str(-(-side // unit) * unit) for side in sides)
            below = "x".join(str(side // unit * unit) for side in sides)
            good = above if min(sides) < unit else f"{below} and {above}"
            raise ValueError(
                f"images of {sides[0]}x{sides[1]}: this network takes sides that are multiples of {unit}; "
                f"the next are {good}"
            )
