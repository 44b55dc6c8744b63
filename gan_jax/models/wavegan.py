"""WaveGAN: generator and discriminator of sounds, one-dimensional convolutions with stride 4.

Donahue, McAuley, Puckette 2019, "Adversarial audio synthesis", arXiv:1802.04208, section 3 and appendix D
(tables 3 and 4); compared with github.com/chrisdonahue/wavegan. Deviation: the phase shuffle's numbers, see
`layers.phase_shuffle`. A sound is an image [L, 1, 1]. The networks of SpecGAN, in the same paper, are those
of `dcgan` with kernels of 5, without norms.
"""

from __future__ import annotations

from typing import ClassVar

import flax.linen as nn
import jax

from gan_jax.models.layers.conditioning import Discriminator, Generator, JoinPlanes
from gan_jax.models.layers.layers import INITIALIZERS, OUTPUTS, Dense, Initializer, choose
from gan_jax.models.layers.phase_shuffle import PhaseShuffle
from gan_jax.models.layers.remat import remat_block
from gan_jax.models.layers.sounds import SoundConv, SoundConvTranspose
from gan_jax.utils.checks import check_count

Array = jax.Array

LEAK = 0.2
LAYERS = 5  # of the paper: 16,384 samples from 16


def shortest(length: int, layers: int, stride: int) -> int:
    """Samples of the shortest map of a network of so many layers.

    Raises:
        ValueError: the strides do not divide the length.
    """
    check_count(layers, "layers")
    check_count(stride, "stride")
    factor = stride**layers
    if length % factor:
        raise ValueError(
            f"sounds of {length} samples cannot be divided {layers} times by {stride}: use a length that is "
            f"a multiple of {factor}, such as {max(1, round(length / factor)) * factor}, or fewer layers"
        )
    return length // factor


def check_sound(shape: tuple[int, ...]) -> None:
    """Raises a ValueError if images [H, W, C] of this shape are no sounds."""
    if tuple(shape[1:]) != (1, 1):
        raise ValueError(f"WaveGAN's networks take sounds (L, 1, 1), and the data are {shape}")


class WaveGANGenerator(Generator):
    """Latents [B, Z] -> sounds [B, L, 1, 1] in (-1, 1).

    A dense layer makes the shortest map, of `dim` * 2**(layers - 1) channels; each transposed convolution
    makes it `stride` times longer and halves the channels, and the last one gives the sound.

    Attributes, beside those of `Generator`:
        dim: channels of the longest map; 64 in the paper.
        layers: transposed convolutions; 5 in the paper, for 16,384 samples.
        kernel_size: of each along time.
        stride: of each.
    """

    CONDITIONS: ClassVar[tuple[str, ...]] = ("none", "embedding", "one_hot")

    dim: int = 64
    layers: int = LAYERS
    kernel_size: int = 25
    stride: int = 4

    @nn.compact
    def __call__(self, latent: Array, label: Array | None, train: bool) -> Array:
        check_sound(self.image_shape)
        check_count(self.dim, "dim")
        length = shortest(self.image_shape[0], self.layers, self.stride)
        init = choose(INITIALIZERS, self.initializer, "initializer")
        widest = self.dim * 2 ** (self.layers - 1)
        dense = Dense(length * widest, kernel_init=init, spectral_norm=self.spectral_norm, name="dense")
        x = dense(self.join_label(latent, label, train), train)
        x = jax.nn.relu(x.reshape(-1, length, 1, widest))
        for index in range(self.layers):

            def up(self: WaveGANGenerator, x: Array, index: int = index) -> Array:
                last = index + 1 == self.layers
                layer = SoundConvTranspose(
                    1 if last else widest // 2 ** (index + 1),
                    self.kernel_size,
                    self.stride,
                    kernel_init=init,
                    spectral_norm=self.spectral_norm,
                    name=f"up_{index}",
                )
                return OUTPUTS["tanh"](layer(x, train)) if last else jax.nn.relu(layer(x, train))

            x = remat_block(self, up, x)
        return x


class WaveGANDiscriminator(Discriminator):
    """Sounds [B, L, 1, 1] -> logits [B], or (logits [B], auxiliary outputs [B, n]) with `auxiliary` = n.

    Attributes, beside those of `Discriminator`:
        dim: channels of the first convolution; each further one doubles them.
        layers: convolutions.
        kernel_size: of each along time.
        stride: of each.
        phase_shuffle: n of `layers.phase_shuffle`, behind all convolutions but the last; 0 for none.
        initializer: a name in `layers.INITIALIZERS`.
    """

    dim: int = 64
    layers: int = LAYERS
    kernel_size: int = 25
    stride: int = 4
    phase_shuffle: int = 2
    initializer: str = "glorot_uniform"

    @nn.compact
    def __call__(self, image: Array, label: Array | None, train: bool) -> Array | tuple[Array, Array]:
        check_sound(image.shape[1:])
        check_count(self.dim, "dim")
        shortest(image.shape[1], self.layers, self.stride)
        self.check_label(label, image.shape[0])
        if self.norm != "none":
            raise ValueError(f"norm={self.norm!r}: WaveGAN's discriminator has none; set norm='none'")
        init = choose(INITIALIZERS, self.initializer, "initializer")
        x = JoinPlanes(
            self.condition, self.num_classes, self.embedding_size, self.spectral_norm, init, name="label"
        )(image, label, train)
        for index in range(self.layers):

            def down(self: WaveGANDiscriminator, x: Array, index: int = index) -> Array:
                x = jax.nn.leaky_relu(self._conv(index, init)(x, train), LEAK)
                last = index + 1 == self.layers
                most = 0 if last else self.phase_shuffle
                return PhaseShuffle(most, self.axis_name, name=f"phase_{index}")(x, train)

            x = remat_block(self, down, x)
        x = x.reshape(x.shape[0], -1)
        return self.outputs(x, label, train, name="dense", kernel_init=init)

    def _conv(self, index: int, init: Initializer) -> SoundConv:
        return SoundConv(
            self.dim * 2**index,
            self.kernel_size,
            self.stride,
            kernel_init=init,
            spectral_norm=self.spectral_norm,
            name=f"conv_{index}",
        )
