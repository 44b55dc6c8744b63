"""Residual networks of any depth, width and image size: SNGAN's, SAGAN's, and cGANs with projection.

Miyato, Kataoka, Koyama, Yoshida 2018, "Spectral normalization for generative adversarial networks",
arXiv:1802.05957: the defaults are the networks of appendix B.4, table 4 (32x32). Miyato and Koyama 2018,
"cGANs with projection discriminator", arXiv:1802.05637: conditional BatchNorm in the generator's blocks
(the last norm stays unconditional), projection in the discriminator. Zhang, Goodfellow, Metaxas, Odena
2019, "Self-attention generative adversarial networks", arXiv:1805.08318, section 3: attention on one map
of each network, spectral normalisation in both. Compared with github.com/pfnet-research/sngan_projection;
deviations are listed here and in `layers.residual`:

- The layer of the logits has a bias, as in the paper; the official 32x32 network's has none.
- Norms have this package's epsilons and momenta (`layers.norms`).
"""

from __future__ import annotations

import flax.linen as nn
import jax

from gan_jax.models.dcgan import halvings
from gan_jax.models.layers.attention import SelfAttention
from gan_jax.models.layers.conditioning import Discriminator, Generator, JoinPlanes, norm_classes
from gan_jax.models.layers.layers import ACTIVATIONS, INITIALIZERS, Conv, Dense, Initializer, as_image, choose
from gan_jax.models.layers.norms import Norm
from gan_jax.models.layers.precision import at_least_float32
from gan_jax.models.layers.remat import remat_block
from gan_jax.models.layers.residual import DownBlock, UpBlock
from gan_jax.utils.checks import check_widths

Array = jax.Array


def attention_after(attention_size: int, sizes: list[tuple[int, int]]) -> int | None:
    """Index of the first of the maps' sizes with that height; None for attention_size=0.

    Raises:
        ValueError: no map has that height.
    """
    heights = [height for height, _ in sizes]
    if attention_size == 0:
        return None
    if attention_size not in heights:
        found = ", ".join(map(str, dict.fromkeys(heights)))
        raise ValueError(
            f"attention_size={attention_size!r}: there are maps of height {found}; 0 is for none"
        )
    return heights.index(attention_size)


class ResNetGenerator(Generator):
    """Latents [B, L] -> images [B, *image_shape] in (-1, 1).

    A dense layer makes a small map of `widths[0]` channels; each further width is a block that doubles
    the resolution. The defaults are SNGAN's for 32x32; the latents there are 128 normal numbers.

    Attributes, beside those of `Generator`:
        widths: channels of each map, smallest map first.
        activation: a name in `layers.ACTIVATIONS`.
        norm: a name in `norms.NORMS`.
        attention_size: height of the map that self-attention follows; 0 for none.
        momentum: of the moving statistics.
        norm_epsilon: added to the variance by the norm; 0 for its own, see `layers.norms`.
    """

    widths: tuple[int, ...] = (256, 256, 256, 256)
    activation: str = "relu"
    norm: str = "batch"
    attention_size: int = 0
    momentum: float = 0.9
    norm_epsilon: float = 0.0

    @nn.compact
    def __call__(self, latent: Array, label: Array | None, train: bool) -> Array:
        check_widths(self.widths)
        init = choose(INITIALIZERS, self.initializer, "initializer")
        activation = choose(ACTIVATIONS, self.activation, "activation")
        height, width, channels = self.image_shape
        sizes = halvings((height, width), len(self.widths) - 1)
        attended = attention_after(self.attention_size, sizes)

        x = self.join_label(latent, label, train)
        x = Dense(
            sizes[0][0] * sizes[0][1] * self.widths[0],
            kernel_init=init,
            spectral_norm=self.spectral_norm,
            name="dense",
        )(x, train)
        x = x.reshape(-1, *sizes[0], self.widths[0])
        for index, features in enumerate(self.widths):

            def up(self: ResNetGenerator, x: Array, index: int = index, features: int = features) -> Array:
                if index > 0:
                    x = self._block(index, features, sizes[index], init)(x, label, train)
                if index == attended:
                    x = SelfAttention(self.spectral_norm, init, name="attention")(x, train)
                return x

            x = remat_block(self, up, x)
        norm = Norm(self.norm, self.momentum, self.norm_epsilon, axis_name=self.axis_name, name="norm")
        x = activation(norm(x, None, train))
        x = Conv(channels, 3, kernel_init=init, spectral_norm=self.spectral_norm, name="output")(x, train)
        return as_image(x)

    def _block(self, index: int, features: int, size: tuple[int, int], init: Initializer) -> UpBlock:
        return UpBlock(
            features,
            size,
            self.activation,
            self.norm,
            norm_classes(self.condition, self.norm, self.num_classes),
            self.momentum,
            self.spectral_norm,
            init,
            self.axis_name,
            self.norm_epsilon,
            name=f"block_{index}",
        )


class ResNetDiscriminator(Discriminator):
    """Images [B, H, W, C] -> logits [B], or (logits [B], auxiliary outputs [B, n]) with `auxiliary` = n.

    The defaults are SNGAN's for 32x32: four blocks, activation, sum over the pixels, dense.

    Attributes, beside those of `Discriminator`:
        widths: channels of each block.
        downsamplings: how many of the blocks, the first ones, halve the resolution.
        activation: a name in `layers.ACTIVATIONS`.
        norm: a name in `norms.NORMS`.
        attention_size: height of the map that self-attention follows, where it first occurs; 0 for none.
        initializer: a name in `layers.INITIALIZERS`.
    """

    widths: tuple[int, ...] = (128, 128, 128, 128)
    downsamplings: int = 2
    activation: str = "relu"
    attention_size: int = 0
    spectral_norm: bool = True
    momentum: float = 0.9
    initializer: str = "glorot_uniform"

    @nn.compact
    def __call__(self, image: Array, label: Array | None, train: bool) -> Array | tuple[Array, Array]:
        self.check_label(label, image.shape[0])
        init = choose(INITIALIZERS, self.initializer, "initializer")
        activation = choose(ACTIVATIONS, self.activation, "activation")
        attended = attention_after(self.attention_size, self._sizes((image.shape[1], image.shape[2])))
        x = JoinPlanes(
            self.condition, self.num_classes, self.embedding_size, self.spectral_norm, init, name="label"
        )(image, label, train)
        for index, features in enumerate(self.widths):

            def down(
                self: ResNetDiscriminator, x: Array, index: int = index, features: int = features
            ) -> Array:
                x = self._block(index, features, init)(x, train)
                if index == attended:
                    x = SelfAttention(self.spectral_norm, init, name="attention")(x, train)
                return x

            x = remat_block(self, down, x)
        x = at_least_float32(activation(x)).sum((1, 2))
        return self.outputs(x, label, train, name="dense", kernel_init=init)

    def _sizes(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        """(height, width) of each block's output."""
        check_widths(self.widths)
        count, most = self.downsamplings, len(self.widths)
        if count not in range(most + 1):
            raise ValueError(f"downsamplings={count!r}: it must be from 0 to the number of blocks, {most}")
        down = halvings(size, count)[::-1]
        return [*down[1:], *[down[-1]] * (most - count)]

    def _block(self, index: int, features: int, init: Initializer) -> DownBlock:
        return DownBlock(
            features,
            index == 0,
            index < self.downsamplings,
            self.activation,
            self.norm,
            self.momentum,
            self.spectral_norm,
            init,
            self.axis_name,
            self.norm_epsilon,
            name=f"block_{index}",
        )
