"""Networks written down layer by layer, for those that the package did not have when they were counted.

A layer's forward pass, the gradient in its input and the gradient in its weights are the same bilinear map
seen from three sides: as many flops, and the same three arrays, two read and one written. So whatever a
train step does with a layer is a number of such passes (`workloads.py` counts them).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from experiments.scaling.counting import Operation, taps


@dataclass(frozen=True)
class Layer:
    """One linear map of a network, and what belongs to it.

    Attributes:
        flops: of one pass over one image.
        seen: elements of the input of one image.
        made: elements of the output of one image.
        weights: of the map.
        extra: further parameters (biases, strengths of noise, constants).
    """

    name: str
    flops: int
    seen: int
    made: int
    weights: int
    extra: int = 0

    @property
    def parameters(self) -> int:
        """All of them."""
        return self.weights + self.extra

    def passes(self, times: float) -> Operation:
        """So many passes as an operation."""
        return Operation((0.0, self.flops), (self.weights, self.seen + self.made), times)


def dense(name: str, inputs: int, outputs: int, *, extra: int = 0) -> Layer:
    """A matrix [inputs, outputs]."""
    return Layer(name, 2 * inputs * outputs, inputs, outputs, inputs * outputs, extra)


def convolution(
    name: str, size: int, inputs: int, outputs: int, kernel: int, *, groups: int = 1, extra: int = 0
) -> Layer:
    """A convolution of [size, size, inputs] with padding that keeps the size."""
    pairs = taps(size=size, kernel=kernel, out=size, low=kernel // 2) ** 2
    weights = kernel * kernel * inputs // groups * outputs
    flops = 2 * pairs * (inputs // groups) * outputs
    return Layer(name, flops, size * size * inputs, size * size * outputs, weights, extra)


def strided(
    name: str, small: int, large_channels: int, small_channels: int, kernel: int, *, up: bool, extra: int = 0
) -> Layer:
    """A convolution of stride 2 between [2 small, 2 small] and [small, small], or its transpose (`up`).

    With the filter that comes before or after it the padding meets the image everywhere: every element of
    the small side has kernel^2 partners.
    """
    flops = 2 * small * small * kernel * kernel * large_channels * small_channels
    large, little = 4 * small * small * large_channels, small * small * small_channels
    seen, made = (little, large) if up else (large, little)
    return Layer(name, flops, seen, made, kernel * kernel * large_channels * small_channels, extra)


def resampling(name: str, size: int, channels: int, kernel: int, *, up: bool) -> Layer:
    """A fixed filter over each channel that doubles (`up`) or halves [size, size]; no parameters."""
    other = 2 * size if up else size // 2
    pairs = (kernel * min(size, other)) ** 2  # each element of the smaller image has kernel^2 partners
    return Layer(name, 2 * pairs * channels, size * size * channels, other * other * channels, 0)


def blur(name: str, size: int, channels: int, kernel: int) -> Layer:
    """A fixed filter over each channel of [size, size]; no parameters."""
    pairs = taps(size=size, kernel=kernel, out=size, low=kernel // 2) ** 2
    return Layer(name, 2 * pairs * channels, size * size * channels, size * size * channels, 0)


def parameters(layers: Iterable[Layer]) -> int:
    """Of all layers."""
    return sum(layer.parameters for layer in layers)


def forward_flops(layers: Iterable[Layer]) -> int:
    """Of all layers, for one image."""
    return sum(layer.flops for layer in layers)
