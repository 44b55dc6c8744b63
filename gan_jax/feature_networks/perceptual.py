"""Contents that compare pictures in the features of a frozen network.

Which network it is, and where its weights come from, stands in the config; see `content_networks`. One that
this library has trained is not VGG19, and what it calls near compares with no published number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.data.codecs import to_float
from gan_jax.data.decoding import Reading, Unreadable, decoded
from gan_jax.feature_networks.content_networks import ContentNetwork, content_network
from gan_jax.feature_networks.lpips import maps_distance
from gan_jax.losses.contents import L1, Content, ContentInputs, MeanSquare, TotalVariation
from gan_jax.utils.checks import check_count
from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded
from gan_jax.utils.tables import Table
from gan_jax.utils.tree import PyTree

Array = jax.Array

_STYLE = "style"  # the frozen constants of `Gram`


@dataclass(frozen=True, kw_only=True)
class PerceptualContent(Content):
    """A content that looks through a network.

    Attributes:
        network: as `content_network` takes it: "vgg19", "classifier:NAME", "classifier:FILE" or "random".
        layers: names of its layers, whose terms are added up.
        weights: of vgg19: torchvision's file.
        roll: pictures are rolled by 0 to roll - 1 pixels down and to the right before the network sees them,
            by other numbers at every step; all roll^2 shifts take turns. A network with strides sees every
            second pixel differently, and a generator that is taught by the unmoved pictures alone learns a
            grid of dots. 1 for none; the product of the strides up to the last layer for all of what its
            grid makes different.
    """

    network: str
    layers: tuple[str, ...]
    weights: str = ""
    roll: int = 1
    opened: ContentNetwork = field(init=False, repr=False, compare=False)
    of_pixels: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        where = f"contents.{self.name}"
        check_count(self.roll, f"{where}.roll")
        object.__setattr__(self, "opened", content_network(self.network, self.weights, where))

    def load(self) -> dict[str, PyTree]:
        return {self.opened.name: self.opened.load()}

    def maps(self, image: Array, frozen: dict[str, PyTree]) -> list[Array]:
        """The activations [B, h, w, c] of the layers, of pictures in [-1, 1]."""
        return self.opened.maps(frozen[self.opened.name], image, self.layers)

    def rolled(self, inputs: ContentInputs) -> ContentInputs:
        """With made and real pictures rolled alike."""
        if self.roll == 1:
            return inputs
        shift = jnp.stack([inputs.step % self.roll, inputs.step // self.roll % self.roll])
        made, real = (jnp.roll(image, shift, axis=(1, 2)) for image in (inputs.made, inputs.real))
        return inputs._replace(made=made, real=real)

    def pair(self, inputs: ContentInputs) -> tuple[list[Array], list[Array]]:
        """The activations of the made pictures, and of the real ones."""
        inputs = self.rolled(inputs)
        return self.maps(inputs.made, inputs.frozen), self.maps(inputs.real, inputs.frozen)


@dataclass(frozen=True, kw_only=True)
class Features(PerceptualContent):
    """The mean square of the difference of activations, summed over the layers.

    Ledig et al. 2017, arXiv:1609.04802, equation 5, with vgg19's "relu5_4" and the weight 0.006, which is the
    paper's factor 1/12.75 for the activations; ESRGAN takes "conv5_4" (arXiv:1809.00219, section 3.3), and
    Johnson et al. 2016, arXiv:1603.08155, equation 2, "relu2_2" of VGG16.
    """

    name = "features"

    def __call__(self, inputs: ContentInputs) -> Array:
        made, real = self.pair(inputs)
        return sum((jnp.mean((a - b) ** 2) for a, b in zip(made, real, strict=True)), jnp.zeros(()))


@dataclass(frozen=True, kw_only=True)
class LPIPS(PerceptualContent):
    """The perceptual distance of `lpips`, with unit weights: activations of length 1 at every position.

    Zhang et al. 2018, arXiv:1801.03924, equation 1. A score in the same network says how well a run minimised
    it, not how its pictures look: judge with another network.
    """

    name = "lpips"

    def __call__(self, inputs: ContentInputs) -> Array:
        made, real = self.pair(inputs)
        return jnp.mean(maps_distance(made, real))


@dataclass(frozen=True, kw_only=True)
class Gram(PerceptualContent):
    """The style loss: squares of the differences of Gram matrices, summed over their entries and the layers.

    Johnson et al. 2016, arXiv:1603.08155, equation 4, after Gatys et al. 2016, arXiv:1508.06576: what stands
    together in a picture, wherever it is.

    Attributes:
        style: the file of a picture whose style the made ones get, as large as it is, since the size of its
            strokes matters; "" for each picture that of its own true one.
    """

    style: str = ""

    name = "gram"

    def load(self) -> dict[str, PyTree]:
        """The network, and the Gram matrices of the style."""
        constants = super().load()
        if not self.style:
            return constants
        picture = _picture(self.style)
        grams = [np.asarray(gram_matrix(x)[0]) for x in self.maps(picture, constants)]
        return constants | {_STYLE: dict(zip(self.layers, grams, strict=True))}

    def __call__(self, inputs: ContentInputs) -> Array:
        inputs = self.rolled(inputs)
        made = map(gram_matrix, self.maps(inputs.made, inputs.frozen))
        if self.style:
            wanted = [inputs.frozen[_STYLE][layer] for layer in self.layers]
        else:
            wanted = list(map(gram_matrix, self.maps(inputs.real, inputs.frozen)))
        distances = (jnp.sum((a - b) ** 2, axis=(-2, -1)) for a, b in zip(made, wanted, strict=True))
        return sum((jnp.mean(distance) for distance in distances), jnp.zeros(()))


def gram_matrix(activations: Array) -> Array:
    """Means over positions of products of two channels, over the channels: [B, h, w, C] -> [B, C, C].

    Equation 3 of arXiv:1603.08155.
    """
    _, height, width, channels = activations.shape
    products = jnp.einsum("bhwc,bhwd->bcd", activations, activations)
    return products / (height * width * channels)


def _picture(path: str | Path) -> Array:
    """A picture file as [1, H, W, 3] in [-1, 1]."""
    try:
        with decoded(expanded(path), Reading()) as image:
            pixels = np.asarray(image)
    except (Unreadable, OSError) as error:
        raise UserError(f"contents.gram.style={str(path)!r} cannot be read: {error}") from error
    return to_float(jnp.asarray(pixels)[None])


# `losses.contents` is on a lower floor and cannot name those through a network.
CONTENTS: Table[type[Content]] = Table(
    "content",
    {kind.name: kind for kind in (L1, MeanSquare, TotalVariation, Features, LPIPS, Gram)},
    named=True,
)
