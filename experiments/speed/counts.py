"""What one train step must compute and move at least: the same numbers for every contender.

Counted by hand from the layers' shapes: the products of dense layers and convolutions, 2 FLOPs for each
multiply-add, and only for kernel taps that lie inside the image (as XLA's cost analysis counts). Elementwise
work, statistics, random bits, power iterations and the optimizers' arithmetic are left out; they are a few
per cent of the FLOPs. `tests/speed/test_bench_counts.py` compares with XLA's count of the same losses.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from experiments.speed.works import Work

FLOAT = 4  # bytes


@dataclass(frozen=True)
class Layer:
    """One linear layer, per image.

    Attributes:
        flops: of the forward pass; those of the input's and of the kernel's gradient are as many.
        inputs, outputs: numbers in the maps before and after.
        weights: numbers in the kernel.
        first: whether it reads the network's input, so that only some passes need the input's gradient.
        last: whether it makes the logits.
    """

    flops: int
    inputs: int
    outputs: int
    weights: int
    first: bool = False
    last: bool = False

    def traffic(self, batch: int) -> int:
        """Bytes of one pass, each array read or written once."""
        return FLOAT * (batch * (self.inputs + self.outputs) + self.weights)


def taps(large: int, small: int, kernel: int, stride: int) -> int:
    """Pairs of an output and a kernel tap inside the image, along one axis, with SAME padding."""
    total = max((small - 1) * stride + kernel - large, 0)
    starts = [index * stride - total // 2 for index in range(small)]
    return sum(0 <= start + tap < large for start in starts for tap in range(kernel))


def dense(before: int, after: int, *, first: bool = False, last: bool = False) -> Layer:
    """A dense layer."""
    return Layer(2 * before * after, before, after, before * after, first, last)


def convolution(
    size: tuple[int, int], kernel: int, stride: int, before: int, after: int, *, first: bool = False
) -> Layer:
    """A convolution of maps of `size`; a transposed one has the same counts with its ends exchanged."""
    small = tuple(-(-n // stride) for n in size)
    work = 1
    for n, m in zip(size, small, strict=True):
        work *= taps(n, m, kernel, stride)
    area, small_area = size[0] * size[1], small[0] * small[1]
    weights = kernel * kernel * before * after
    return Layer(2 * work * before * after, area * before, small_area * after, weights, first)


def halved(size: tuple[int, int], times: int) -> tuple[int, int]:
    """The size of a map after so many halvings; the works' sizes divide."""
    return size[0] >> times, size[1] >> times


def generator_layers(work: Work) -> list[Layer]:
    """The generator's linear layers."""
    height, width, channels = work.image_shape
    widths = list(work.generator_widths)
    residual = work.family == "resnet"
    doublings = len(widths) - residual
    base = halved((height, width), doublings)
    layers = [dense(work.latent_size, base[0] * base[1] * widths[0], first=True)]
    if not residual:
        for index, (before, after) in enumerate(zip(widths, [*widths[1:], channels], strict=True)):
            layers.append(convolution(halved((height, width), doublings - 1 - index), 5, 2, after, before))
        return layers
    for index, (before, after) in enumerate(pairwise(widths)):
        size = halved((height, width), doublings - 1 - index)
        layers += [
            convolution(halved(size, 1), 1, 1, before, after),
            convolution(size, 3, 1, before, after),
            convolution(size, 3, 1, after, after),
        ]
    return [*layers, convolution((height, width), 3, 1, widths[-1], channels)]


def discriminator_layers(work: Work) -> list[Layer]:
    """The discriminator's linear layers."""
    size, before = (work.image_shape[0], work.image_shape[1]), work.image_shape[2]
    layers = []
    for index, after in enumerate(work.discriminator_widths):
        first = index == 0
        if work.family == "dcgan":
            layers.append(convolution(size, 5, 2, before, after, first=first))
            size = halved(size, 1)
        else:
            small = halved(size, 1) if index < 2 else size
            if small != size or before != after:
                layers.append(convolution(small, 1, 1, before, after, first=first))
            layers.append(convolution(size, 3, 1, before, after, first=first))
            layers.append(convolution(size, 3, 1, after, after))
            size = small
        before = after
    features = before if work.family == "resnet" else size[0] * size[1] * before
    return [*layers, dense(features, 1, last=True)]


def passes(work: Work) -> list[tuple[int, Layer]]:
    """How often a train step must run each layer: forward and both gradients count one each."""
    counted = []
    for layer in generator_layers(work):
        forward_only = work.critic_steps  # the fakes that the discriminator sees
        counted.append((forward_only + 3 - layer.first, layer))
    for layer in discriminator_layers(work):
        # Reals and fakes: forward, the kernel's gradient, and the input's where something is before it.
        times = 2 * (3 - layer.first)
        if work.penalty:
            # Forward and back to the image, and from there the gradients of the way back. The logits' own
            # values are not needed, nor the gradient in the ones that the way back begins with.
            times += 4 - 2 * layer.last
        counted.append((work.critic_steps * times + 2, layer))  # the generator's: forward, and back to it
    return counted


def step_flops(work: Work, batch: int) -> int:
    """FLOPs of one train step."""
    return batch * sum(times * layer.flops for times, layer in passes(work))


def step_bytes(work: Work, batch: int) -> int:
    """Bytes that one train step must move if everything elementwise is fused into the linear layers.

    Adam reads gradient, parameter and two moments, and writes the last three.
    """
    moved = sum(times * layer.traffic(batch) for times, layer in passes(work))
    adam = 7 * FLOAT * sum(layer.weights for layer in generator_layers(work))
    adam += 7 * FLOAT * work.critic_steps * sum(layer.weights for layer in discriminator_layers(work))
    return moved + adam
