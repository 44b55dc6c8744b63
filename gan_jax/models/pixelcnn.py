"""The gated PixelCNN: each pixel from those above it and to its left, without a blind spot.

Van den Oord et al. 2016, "Conditional image generation with PixelCNN decoders", arXiv:1606.05328, section 2:
two stacks of convolutions, one over the rows above, one over the pixels to the left that also reads the
first. Kernels are not masked but smaller: the inputs are shifted by a row and by a pixel, and nothing later
is read. What it says of a pixel is a mixture of discretised logistics (`losses.mixtures`) as in PixelCNN++
(Salimans et al. 2017, arXiv:1701.05517) and not 256 logits: 30 numbers of a grey pixel, and levels that are
near are alike. Of levels of tiles it says the logits of their kinds.
"""

from __future__ import annotations

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.models.layers import conv
from gan_jax.models.layers.conditioning import Generator, check_label
from gan_jax.models.layers.layers import INITIALIZERS, Dense, Embed
from gan_jax.models.layers.precision import add_bias, at_least_float32
from gan_jax.models.layers.remat import remat_block
from gan_jax.utils.checks import check_count, check_kernel

Array = jax.Array


class Window(nn.Module):
    """Convolution whose output stands in the last of the kernel's rows, in its middle or its last column.

    Attributes:
        features: of the output.
        rows, columns: of the kernel.
        middle: whether the output is in the middle column, or else in the last one.
    """

    features: int
    rows: int
    columns: int
    middle: bool

    @nn.compact
    def __call__(self, x: Array, above: bool = True, beside: bool = True) -> Array:
        """Maps [B, H, W, C] -> [B, H, W, features].

        Args:
            above: whether zeros are put above, or those rows are in x already and get no output.
            beside: likewise of columns.
        """
        init = INITIALIZERS["glorot_uniform"]
        kernel = self.param("kernel", init, (self.rows, self.columns, x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        right = self.columns // 2 if self.middle else 0
        pads = (
            (self.rows - 1 if above else 0, 0),
            (self.columns - 1 - right, right) if beside else (0, 0),
        )
        geometry = conv.geometry((x.shape[1], x.shape[2]), (self.rows, self.columns), (1, 1), pads)
        return add_bias(conv.convolve(x, kernel.astype(x.dtype), geometry), bias)


class Block(nn.Module):
    """A layer of both stacks (arXiv:1606.05328, figure 2).

    Attributes:
        width: channels of both.
        kernel_size: side of the square of which the stacks read the half before a pixel.
        num_classes: None without labels.
        residual: whether the second stack's input is added to its output, as in all but the first layer.
    """

    width: int
    kernel_size: int
    num_classes: int | None
    residual: bool

    def setup(self) -> None:
        before = self.kernel_size // 2 + 1
        self.down = Window(2 * self.width, before, self.kernel_size, True)
        self.across = Window(2 * self.width, 1, before, False)
        self.link = Dense(2 * self.width)
        self.output = Dense(self.width)
        if self.num_classes is not None:
            self.label = Embed(self.num_classes, 4 * self.width)

    def vertical(self, x: Array, label: Array | None, above: bool = True) -> tuple[Array, Array]:
        """The first stack's output, and what the second reads of it, with what the label says to it."""
        to_down, to_across = self._code(label)
        x = self.down(x, above=above)
        return gate(x + to_down.astype(x.dtype)), self.link(x) + to_across.astype(x.dtype)

    def horizontal(self, x: Array, link: Array, beside: bool = True) -> Array:
        """The second stack's output."""
        made = self.output(gate(self.across(x, beside=beside) + link))
        return made + x[:, :, -made.shape[2] :] if self.residual else made

    def _code(self, label: Array | None) -> tuple[Array, Array]:
        if self.num_classes is None:
            return jnp.zeros(()), jnp.zeros(())
        assert label is not None  # it was checked by `check_label`
        first, second = jnp.split(self.label(label)[:, None, None, :], 2, axis=-1)
        return first, second


def gate(x: Array) -> Array:
    """tanh of one half of the channels times the sigmoid of the other."""
    a, b = jnp.split(x, 2, axis=-1)
    return jnp.tanh(a) * jax.nn.sigmoid(b)


class PixelCNN(Generator):
    """Images [B, *image_shape] -> what is said of each pixel, [B, H, W, outputs] float32.

    `row` and `pixel` compute the same in the order in which pixels are drawn: of each layer only the rows and
    pixels that its kernels reach are kept.

    Attributes, beside those of `Generator` (`condition` is "embedding", biases of each layer, or "none"):
        width: channels of both stacks.
        layers: how many.
        kernel_size: odd; a layer sees half of it above and to the left.
        components: of the mixture.
        categorical: whether a place holds one of several kinds, one-hot, as in levels of tiles, and their
            logits are said; no mixture.
    """

    CONDITIONS: ClassVar[tuple[str, ...]] = ("none", "embedding")
    output: ClassVar[str] = "linear"

    width: int = 32
    layers: int = 5
    kernel_size: int = 5
    components: int = 10
    categorical: bool = False

    def setup(self) -> None:
        for name in ("width", "layers", "components"):
            check_count(getattr(self, name), name)
        check_kernel(self.kernel_size)
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size={self.kernel_size}: it must be odd: the pixel is in its middle")
        classes = self.num_classes if self.conditional else None
        self.blocks = [
            Block(self.width, self.kernel_size, classes, index > 0) for index in range(self.layers)
        ]
        self.hidden = Dense(2 * self.width)
        channels = self.image_shape[2]
        each = 1 + 2 * channels + channels * (channels - 1) // 2  # of `losses.mixtures`
        self.said = Dense(channels if self.categorical else self.components * each)

    @property
    def kept(self) -> int:
        """Rows above, or pixels to the left, that a kernel reaches."""
        return self.kernel_size // 2

    def __call__(self, image: Array, label: Array | None, train: bool) -> Array:
        check_label(self.condition, self.CONDITIONS, self.num_classes, label, image.shape[0])
        seen = with_ones(image)
        rows = jnp.pad(seen, ((0, 0), (1, 0), (0, 0), (0, 0)))[:, :-1]
        pixels = jnp.pad(seen, ((0, 0), (0, 0), (1, 0), (0, 0)))[:, :, :-1]
        for index in range(self.layers):

            def layer(net: PixelCNN, rows: Array, pixels: Array, index: int = index) -> tuple[Array, Array]:
                rows, link = net.blocks[index].vertical(rows, label)
                return rows, net.blocks[index].horizontal(pixels, link)

            rows, pixels = remat_block(self, layer, rows, pixels)
        return self._last(pixels)

    def row(
        self, seen: Array, above: list[Array], label: Array | None, train: bool
    ) -> tuple[list[Array], list[Array]]:
        """The first stack at one row.

        Args:
            seen: the row above it `with_ones`, zeros of the first, [B, 1, W, C + 1].
            above: of each layer the inputs at the `kept` rows before, [B, kept, W, ...], zeros at first.

        Returns:
            what each layer's second stack reads of it, [B, 1, W, 2 width]; `above` for the next row.
        """
        links, kept, x = [], [], seen
        for block, before in zip(self.blocks, above, strict=True):
            window = jnp.concatenate([before.astype(x.dtype), x], axis=1)
            kept.append(window[:, 1:])
            x, link = block.vertical(window, label, above=False)
            links.append(link)
        return links, kept

    def pixel(
        self, seen: Array, left: list[Array], links: list[Array], train: bool
    ) -> tuple[Array, list[Array]]:
        """The second stack at one pixel.

        Args:
            seen: the pixel before `with_ones`, zeros of the first, [B, 1, 1, C + 1].
            left: of each layer the inputs at the `kept` pixels before, [B, 1, kept, ...], zeros at first.
            links: of `row`, at this pixel [B, 1, 1, 2 width].

        Returns:
            what is said of it, [B, outputs]; `left` for the next pixel.
        """
        kept, x = [], seen
        for block, before, link in zip(self.blocks, left, links, strict=True):
            window = jnp.concatenate([before.astype(x.dtype), x], axis=2)
            kept.append(window[:, :, 1:])
            x = block.horizontal(window, link.astype(x.dtype), beside=False)
        return self._last(x)[:, 0, 0], kept

    def _last(self, x: Array) -> Array:
        return self.said(at_least_float32(jax.nn.relu(self.hidden(jax.nn.relu(x)))))


def with_ones(image: Array) -> Array:
    """Images with a channel of ones: beyond the edge are zeros, and so the edge is seen."""
    return jnp.concatenate([image, jnp.ones((*image.shape[:-1], 1), image.dtype)], axis=-1)
