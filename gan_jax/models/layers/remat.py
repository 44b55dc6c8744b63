"""Gradient checkpointing: which activations are kept for the backward pass.

Chen, Xu, Zhang, Guestrin 2016, "Training deep nets with sublinear memory cost", arXiv:1604.06174: the
backward pass needs the values of the forward pass. Those that are not kept are computed again, block by
block, each when the gradient arrives at its output. A network with `remat` keeps the inputs of its
blocks, which `remat_block` marks (on a CPU that takes `gan_jax.utils.compiler`'s options):

- `models.dcgan` and `models.mlp`: from the output of one convolution or dense layer to that of the next. One
  array of each layer is kept; norm, activation and dropout are computed again, but no convolution.
- `models.resnet`: a residual block with the attention that follows it. Inner convolutions are computed again.
- `models.progan`, `models.stylegan`, `models.stylegan2`: the convolutions of a resolution, computed again.
- `models.r3gan`: the blocks of a level, and what changes its resolution.
- `models.autoencoder`: a convolution or dense layer and its activation; `models.flow`: a step.
- `models.unet`, `models.patchgan`, `models.resnet_translator`, `models.srresnet`, `models.sr_discriminator`:
  a convolution and the norm that follows it, or a residual block. Convolutions are computed again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import flax.linen as nn
import jax

Array = jax.Array


class Network(Protocol):
    """A module with the field `remat`."""

    remat: bool


N = TypeVar("N", bound=Network)
T = TypeVar("T")


def remat_block(network: N, function: Callable[..., T], *xs: Array) -> T:
    """function(network, *xs), whose gradient (of any order) keeps no more than xs if `network.remat`.

    Args:
        network: the module in whose compact method this is.
        function: makes layers of its first argument, which may be a copy of the module.
    """
    if not network.remat:
        return function(network, *xs)
    made: T = nn.checkpoint(function)(network, *xs)
    return made
