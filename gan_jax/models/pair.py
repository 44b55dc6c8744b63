"""Two networks as one player: both directions of a translation, a discriminator for each kind of pictures.

Zhu, Park, Isola, Efros 2017, "Unpaired image-to-image translation using cycle-consistent adversarial
networks", arXiv:1703.10593. "a" is what is translated, the data's field "source", and "b" what is made of it,
the field "image".

A pair is a child of its network's class, so that it has the same fields, which both of its networks are
given. So a config says

    generator=dict(name="resnet_translator_pair", width=16, blocks=6)

as it would of one, and what sets or reads fields of a network (axes, norms, remat) need not know of pairs.
The two share their player's optimizer; Adam, which works element by element, is then two that step together.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, TypeVar

import flax.linen as nn
import jax

from gan_jax.models.layers.translator import Translator
from gan_jax.models.patchgan import PatchGANDiscriminator
from gan_jax.models.resnet_translator import ResNetTranslator
from gan_jax.models.unet import UNetGenerator

Array = jax.Array
N = TypeVar("N", bound=nn.Module)


def alike(pair: nn.Module, network: type[N], **changes: Any) -> N:
    """A network with what the pair has in the fields of the same names, but for the changes."""
    names = {field.name for field in dataclasses.fields(network)} - {"parent", "name"}
    return network(**{name: getattr(pair, name) for name in names} | changes)


class TranslatorPair(nn.Module):
    """What pairs of translators add to their network.

    Attributes:
        source_shape: (height, width, channels) of "a"; None where it is that of "b", `image_shape`.
    """

    NETWORK: ClassVar[type[Translator]]

    source_shape: tuple[int, int, int] | None = None

    def setup(self) -> None:
        self.to_b = alike(self, self.NETWORK)
        shape = self.source_shape or self.to_b.image_shape
        self.to_a = alike(self, self.NETWORK, image_shape=shape)

    def __call__(self, a: Array, b: Array, told: None, train: bool) -> tuple[Array, Array]:
        """a as b would show it, and b as a would."""
        return self.to_b(a, told, train), self.to_a(b, told, train)

    def a_to_b(self, x: Array, told: None, train: bool) -> Array:
        """Images [B, H, W, channels of a] -> images [B, H, W, channels of b] in (-1, 1)."""
        return self.to_b(x, told, train)

    def b_to_a(self, x: Array, told: None, train: bool) -> Array:
        """Images [B, H, W, channels of b] -> images [B, H, W, channels of a] in (-1, 1)."""
        return self.to_a(x, told, train)


class ResNetTranslatorPair(TranslatorPair, ResNetTranslator):  # type: ignore[misc]  # two inputs
    """Two `ResNetTranslator`s: CycleGAN's generator."""

    NETWORK = ResNetTranslator


class UNetGeneratorPair(TranslatorPair, UNetGenerator):  # type: ignore[misc]  # two inputs
    """Two `UNetGenerator`s."""

    NETWORK = UNetGenerator


class PatchGANDiscriminatorPair(PatchGANDiscriminator):
    """Two `PatchGANDiscriminator`s: one knows pictures of "a", the other those of "b"."""

    def setup(self) -> None:
        self.of_a = alike(self, PatchGANDiscriminator)
        self.of_b = alike(self, PatchGANDiscriminator)

    def __call__(  # type: ignore[override]  # two inputs
        self, a: Array, b: Array, told: None, train: bool
    ) -> tuple[Array, Array]:
        """Logits [B, h, w] of each."""
        return self.of_a(a, told, train), self.of_b(b, told, train)

    def a(self, image: Array, told: None, train: bool) -> Array:
        """Whether images [B, H, W, C] are of "a": logits [B, h, w]."""
        return self.of_a(image, told, train)

    def b(self, image: Array, told: None, train: bool) -> Array:
        """Whether images [B, H, W, C] are of "b": logits [B, h, w]."""
        return self.of_b(image, told, train)
