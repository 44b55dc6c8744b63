"""StyleGAN2, config F, of any resolution, as lists of layers.

Karras, Laine, Aittala, Hellsten, Lehtinen, Aila 2020, "Analyzing and improving the image quality of
StyleGAN", arXiv:1912.04958: generator with skip connections, residual discriminator (section 4.1, figure 7),
modulated convolutions (section 2.2), twice the features at high resolution (table 1, config F). Shapes as in
the authors' code: channels = min(base / resolution, 512).

A modulated convolution is counted as the authors train it: the input is scaled by the style and the output
by the demodulation, so that all images share the weights.
"""

from __future__ import annotations

from experiments.scaling.layers import Layer, blur, convolution, dense, resampling, strided

LATENT = 512
FILTER = 4  # the resampling filter's length


def channels(resolution: int, base: int = 32768, most: int = 512) -> int:
    """Feature maps at this resolution."""
    return min(base // resolution, most)


def mapping(layers: int = 8) -> list[Layer]:
    """Latents to styles."""
    return [dense(f"mapping_{i}", LATENT, LATENT, extra=LATENT) for i in range(layers)]


def synthesis(resolution: int, base: int = 32768) -> list[Layer]:
    """Styles to images: from a learned 4x4 constant, two convolutions per resolution (one at 4x4)."""
    found: list[Layer] = []
    size = 4
    while size <= resolution:
        width = channels(size, base)
        if size == 4:
            found.append(Layer("constant", 0, 0, 16 * width, 0, 16 * width))
        else:
            before = channels(size // 2, base)
            found += _styled(f"{size}.0", before)
            found.append(strided(f"{size}.0", size // 2, width, before, 3, up=True, extra=width + 1))
            found.append(blur(f"{size}.blur", size, width, FILTER))
        found += _styled(f"{size}.1", width)
        found.append(convolution(f"{size}.1", size, width, width, 3, extra=width + 1))
        found += _styled(f"{size}.rgb", width)
        found.append(convolution(f"{size}.rgb", size, width, 3, 1, extra=3))
        if size > 4:
            found.append(resampling(f"{size}.skip", size // 2, 3, FILTER, up=True))
        size *= 2
    return found


def _styled(name: str, width: int) -> list[Layer]:
    """The style of a convolution's input channels; the noise's strength is the convolution's `extra`."""
    return [dense(f"{name}.style", LATENT, width, extra=width)]


def discriminator(resolution: int, base: int = 32768) -> list[Layer]:
    """Images to logits: residual blocks down to 4x4, minibatch standard deviation, two dense layers."""
    width = channels(resolution, base)
    found = [convolution("rgb", resolution, 3, width, 1, extra=width)]
    size = resolution
    while size > 4:
        width, after = channels(size, base), channels(size // 2, base)
        found.append(convolution(f"{size}.0", size, width, width, 3, extra=width))
        found.append(blur(f"{size}.blur", size, width, FILTER))
        found.append(strided(f"{size}.1", size // 2, width, after, 3, up=False, extra=after))
        found.append(resampling(f"{size}.skip_filter", size, width, FILTER, up=False))
        found.append(convolution(f"{size}.skip", size // 2, width, after, 1))
        size //= 2
    width = channels(4, base)
    found.append(convolution("4", 4, width + 1, width, 3, extra=width))  # + 1: the standard deviation
    found.append(dense("dense", 16 * width, width, extra=width))
    found.append(dense("logit", width, 1, extra=1))
    return found
