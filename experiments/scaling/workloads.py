"""What one train step computes, keeps and adds up over the chips, for five GANs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from experiments.scaling import ours, r3gan, stylegan2
from experiments.scaling.counting import Operation, total
from experiments.scaling.layers import Layer, forward_flops, parameters


@dataclass(frozen=True)
class Reduction:
    """Arrays that are added up over the chips together.

    Attributes:
        elements: float32 numbers.
        times: per step.
    """

    elements: int
    times: float


@dataclass(frozen=True)
class Workload:
    """A train step, of both players.

    Attributes:
        title: network, data and source.
        batch: images in a published run, over all chips.
        operations: all of a step.
        backward: share of the flops that is left when the last forward pass of each update is done: what
            its gradients can be added up beside, layer by layer.
        generator: number of parameters.
        discriminator: number of parameters.
        updates: of the generator and of the discriminator per step.
        gradients: a reduction for each update.
        statistics: of BatchNorm over the global batch, which nothing can hide.
        kept: elements that the larger update keeps for its backward pass, for each image.
    """

    title: str
    batch: int
    operations: tuple[Operation, ...]
    backward: float
    generator: int
    discriminator: int
    updates: tuple[float, float]
    gradients: tuple[Reduction, ...]
    statistics: tuple[Reduction, ...]
    kept: float

    def flops(self, batch: float) -> float:
        """Of a step on this many images."""
        return total(self.operations, batch)[0]


def gradient_reductions(sizes: ours.Sizes) -> tuple[Reduction, ...]:
    """One for each update. The gradients on reals and fakes count as added up before they are exchanged."""
    updates = Reduction(sizes.discriminator_gradient, sizes.discriminator_steps)
    return updates, Reduction(sizes.generator_gradient, 1)


def statistic_reductions(sizes: ours.Sizes) -> tuple[Reduction, ...]:
    """Forward, sums and sums of squares. Backward, two sums as well.

    One of them is the gradient of the bias, and counted there where the layer's own player is updated.
    """
    found = []
    steps = sizes.discriminator_steps
    for width in sizes.generator_norms:  # the fakes of each discriminator's update, and its own with gradient
        found += [Reduction(2 * width, steps + 1), Reduction(width, 1)]
    for width in sizes.discriminator_norms:  # reals and fakes, and the fakes of the generator's update
        found += [Reduction(2 * width, 2 * steps + 1), Reduction(width, 2 * steps), Reduction(2 * width, 1)]
    return tuple(found)


def counted(name: str, title: str, batch: int) -> Workload:
    """From the traced step of a config of this package (`ours.py`)."""
    found = ours.count(name)
    steps = found.sizes.discriminator_steps
    forward = steps * (found.generator_flops + 2 * found.discriminator_flops)
    forward += found.generator_flops + found.discriminator_flops
    return Workload(
        title=title,
        batch=batch,
        operations=tuple(found.operations),
        backward=1 - forward / total(found.operations, 1.0)[0],
        generator=found.sizes.generator,
        discriminator=found.sizes.discriminator,
        updates=(1, steps),
        gradients=gradient_reductions(found.sizes),
        statistics=statistic_reductions(found.sizes),
        kept=max(2 * found.discriminator_kept, found.generator_kept + found.discriminator_kept),
    )


def passes(layers: Iterable[Layer], times: float) -> list[Operation]:
    """So many passes of a whole network."""
    return [layer.passes(times) for layer in layers if layer.flops]


def stylegan2_of(resolution: int, base: int = 32768, mapping_layers: int = 8) -> Workload:
    """StyleGAN2 with R1 every 16 steps and path length regularisation every 4 on half a batch.

    Passes per image of G and D: discriminator G + 2 D forward and 2 x 2 D backward; generator G + D
    forward, 2 G + D backward (no weights of D); R1, D being piecewise linear but for its standard deviation:
    forward, gradient in the image, and the gradients of that in both factors, 4; path length: forward,
    gradient in the styles, and both their gradients in both factors, 6 on half of the images.
    """
    mapping, synthesis = stylegan2.mapping(mapping_layers), stylegan2.synthesis(resolution, base)
    judge = stylegan2.discriminator(resolution, base)
    generator = [*mapping, *synthesis]
    g, d = forward_flops(generator), forward_flops(judge)
    # The styles are an input of the path length: the mapping has its forward and weights' passes only.
    operations = [*passes(mapping, 4 + 3 / 8), *passes(synthesis, 4 + 6 / 8), *passes(judge, 8 + 4 / 16)]
    return _written_down(
        title=f"StyleGAN2 config F, {resolution}x{resolution} (Karras et al. 2020)",
        batch=64,
        operations=operations,
        forward=2 * g + 3 * d + g / 8 + d / 16,
        players=(parameters(generator), parameters(judge)),
        updates=(1 + 1 / 4, 1 + 1 / 16),
        layers=(generator, judge),
    )


def r3gan_256() -> Workload:
    """R3GAN with R1 and R2 at every step.

    Passes per image: discriminator G, and for reals and fakes 6 D each: forward and two backward for the
    loss; gradient in the image and two more for the penalty (the forward pass is shared). Generator: 3 G, 2 D
    on the fakes, 1 D on the reals that the relativistic loss compares with.
    """
    maker, judge = r3gan.generator(), r3gan.discriminator()
    g, d = forward_flops(maker), forward_flops(judge)
    return _written_down(
        title="R3GAN, FFHQ-256 (Huang et al. 2024)",
        batch=256,
        operations=[*passes(maker, 4), *passes(judge, 15)],
        forward=2 * g + 4 * d,
        players=(parameters(maker), parameters(judge)),
        updates=(1, 1),
        layers=(maker, judge),
    )


def _written_down(
    *,
    title: str,
    batch: int,
    operations: list[Operation],
    forward: float,
    players: tuple[int, int],
    updates: tuple[float, float],
    layers: tuple[list[Layer], list[Layer]],
) -> Workload:
    kept = [sum(layer.seen for layer in network) for network in layers]
    return Workload(
        title=title,
        batch=batch,
        operations=tuple(operations),
        backward=1 - forward / total(operations, 1.0)[0],
        generator=players[0],
        discriminator=players[1],
        updates=updates,
        gradients=(Reduction(players[1], updates[1]), Reduction(players[0], updates[0])),
        statistics=(),
        kept=max(2 * kept[1], kept[0] + kept[1]),
    )


WORKLOADS: dict[str, Callable[[], Workload]] = {
    "dcgan28": lambda: counted("dcgan28", "DCGAN of the thesis, 28x28 grey", 128),
    "dcgan64": lambda: counted("dcgan64", "DCGAN, 64x64 (Radford et al. 2016)", 128),
    "sngan32": lambda: counted("sngan32", "SNGAN, 32x32, five critic steps (Miyato et al. 2018)", 64),
    "stylegan2_256": lambda: stylegan2_of(256),
    "r3gan_256": r3gan_256,
}
