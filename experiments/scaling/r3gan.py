"""R3GAN for 256x256 images (its FFHQ-256 setting) as lists of layers.

Huang, Gokaslan, Kuleshov, Tompkin 2024, "The GAN is dead; long live the GAN! A modern GAN baseline",
arXiv:2501.05441, section 4 and the authors' FFHQ-256 preset: widths 768 (4x4 to 32x32), 384, 192, 96, two
residual blocks per resolution. A block is 1x1 to twice the width, 3x3 in groups of 16 channels, 1x1 back,
with a bias before each of the two activations and no normalisation; bilinear resampling, with a 1x1
convolution where the width changes.
"""

from __future__ import annotations

from experiments.scaling.layers import Layer, convolution, dense, resampling

WIDTHS = (768, 768, 768, 768, 384, 192, 96)  # 4x4 first
LATENT, BLOCKS, EXPANSION, GROUP = 64, 2, 2, 16
FILTER = 4  # 1 3 3 1 over the doubled image: [1, 2, 1] applied to pairs


def generator(widths: tuple[int, ...] = WIDTHS) -> list[Layer]:
    """Latents to images; the 4x4 map is a learned basis times a dense layer of the latents."""
    found = [
        dense("dense", LATENT, widths[0]),
        Layer("basis", 0, widths[0], 16 * widths[0], 0, 16 * widths[0]),
    ]
    size = 4
    for i, width in enumerate(widths):
        if i:
            if width != widths[i - 1]:
                found.append(convolution(f"{size}.width", size, widths[i - 1], width, 1))
            found.append(resampling(f"{size}.up", size, width, FILTER, up=True))
            size *= 2
        found += _blocks(size, width)
    return [*found, convolution("rgb", size, widths[-1], 3, 1)]


def discriminator(widths: tuple[int, ...] = WIDTHS) -> list[Layer]:
    """Images to logits, the generator's mirror; a 4x4 filter for each channel at the end."""
    size = 4 * 2 ** (len(widths) - 1)
    found = [convolution("rgb", size, 3, widths[-1], 1)]
    for i, width in reversed(list(enumerate(widths))):
        found += _blocks(size, width)
        if i:
            found.append(resampling(f"{size}.down", size, width, FILTER, up=False))
            size //= 2
            if width != widths[i - 1]:
                found.append(convolution(f"{size}.width", size, width, widths[i - 1], 1))
    basis = Layer("basis", 2 * 16 * widths[0], 16 * widths[0], widths[0], 16 * widths[0])
    return [*found, basis, dense("logit", widths[0], 1)]


def _blocks(size: int, width: int) -> list[Layer]:
    inner = EXPANSION * width
    found = []
    for i in range(BLOCKS):
        name = f"{size}.{i}"
        found += [
            convolution(f"{name}.expand", size, width, inner, 1, extra=inner),
            convolution(f"{name}.grouped", size, inner, inner, 3, groups=inner // GROUP, extra=inner),
            convolution(f"{name}.contract", size, inner, width, 1),
        ]
    return found
