"""The time of a train step on some chips, from what it multiplies, moves and adds up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from experiments.scaling.collectives import all_reduce_time, gather_time
from experiments.scaling.hardware import Chip, Network
from experiments.scaling.workloads import Reduction, Workload

Precision = Literal["float32", "bfloat16"]
BYTES: dict[Precision, int] = {"float32": 4, "bfloat16": 2}
ADAM = 7  # arrays that a step of Adam reads (parameters, gradient, both moments) and writes (all but one)
AVERAGE = 3  # and the moving average of the generator
# A convolution comes with what is elementwise before and after it; most matrix products are the small ones of
# spectral normalisation. ASSUMED
CONVOLUTION_KERNELS, PRODUCT_KERNELS = 3, 1
LARGEST = 1 << 20  # images on a chip: none hides its communication beyond


@dataclass(frozen=True)
class Setting:
    """Where and how a step runs.

    Attributes:
        utilisation: share of the peak that convolutions and products reach. ASSUMED.
        bandwidth_share: share of the memory's bandwidth that they reach. ASSUMED.
        sharded: parameters, averages and optimizer states split over the chips.
    """

    chip: Chip
    chips: int = 1
    precision: Precision = "bfloat16"
    utilisation: float = 0.5
    bandwidth_share: float = 0.8
    sharded: bool = False

    @property
    def networks(self) -> tuple[Network, ...]:
        """Between the chips; nothing for one."""
        return () if self.chips == 1 else self.chip.networks(self.chips)


@dataclass(frozen=True)
class Step:
    """Seconds of a step's parts.

    Attributes:
        arithmetic: if nothing else took time.
        memory: if only moving arrays took time.
        floor: if only launching took time.
        device: one chip alone: for each operation the longest of the three, and the optimizers.
        gradients: adding up both players' gradients; with sharding, also gathering the parameters.
        statistics: adding up BatchNorm's sums.
        hidden: how much of `gradients` the backward passes can cover.
    """

    arithmetic: float
    memory: float
    floor: float
    device: float
    gradients: float
    statistics: float
    hidden: float

    @property
    def serial(self) -> float:
        """Nothing overlaps."""
        return self.device + self.gradients + self.statistics

    @property
    def overlapped(self) -> float:
        """All that can overlaps."""
        return self.serial - self.hidden


def predict(work: Workload, setting: Setting, batch: float) -> Step:
    """A step with `batch` images on every chip."""
    chip, size = setting.chip, BYTES[setting.precision]
    peak = (chip.bf16 if setting.precision == "bfloat16" else chip.f32) * setting.utilisation
    bandwidth = chip.memory_bandwidth * setting.bandwidth_share
    arithmetic = memory = floor = device = 0.0
    for operation in work.operations:
        flops, elements = operation.at(batch)
        kernels = CONVOLUTION_KERNELS if operation.convolution else PRODUCT_KERNELS
        parts = flops / peak, size * elements / bandwidth, kernels * chip.overhead
        arithmetic += operation.times * parts[0]
        memory += operation.times * parts[1]
        floor += operation.times * parts[2]
        device += operation.times * max(parts)
    optimizer = optimizer_bytes(work, setting) / bandwidth
    gradients = _gradients_time(work, setting)
    statistics = _reduce(work.statistics, setting.networks)
    device += optimizer
    hidden = min(gradients, work.backward * device)
    return Step(arithmetic, memory + optimizer, floor, device, gradients, statistics, hidden)


def optimizer_bytes(work: Workload, setting: Setting) -> float:
    """Moved by both optimizers and the average in a step, on one chip; all of it is float32."""
    generator, discriminator = work.updates
    arrays = ADAM * (generator * work.generator + discriminator * work.discriminator)
    whole = 4 * (arrays + AVERAGE * work.generator)
    return whole / setting.chips if setting.sharded else whole


def _reduce(reductions: Iterable[Reduction], networks: tuple[Network, ...]) -> float:
    return sum(x.times * all_reduce_time(4 * x.elements, networks) for x in reductions)


def _gradients_time(work: Workload, setting: Setting) -> float:
    """Replicated: an all-reduce for each update. Sharded: the gradients are scattered, and each update needs
    both players' parameters whole, gathered once and kept until its end."""
    if not setting.sharded:
        return _reduce(work.gradients, setting.networks)
    networks = setting.networks
    scattered = sum(x.times * gather_time(4 * x.elements, networks) for x in work.gradients)
    players = work.generator, work.discriminator
    gathered = sum(gather_time(4 * x, networks) for x in players)
    return scattered + sum(work.updates) * gathered


def hiding_batch(work: Workload, setting: Setting) -> int | None:
    """The least number of images on every chip whose backward passes cover adding up the gradients.

    None where no batch of up to a million images does.
    """

    def hides(batch: int) -> bool:
        step = predict(work, setting, batch)
        return step.hidden >= step.gradients

    low, high = 0, 1
    while not hides(high):
        low, high = high, 2 * high
        if high > LARGEST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if hides(middle) else (middle, high)
    return high


def resident_bytes(work: Workload, setting: Setting, batch: float) -> float:
    """Held by a chip: parameters, gradients, two moments, the average, and what a backward pass needs."""
    share = setting.chips if setting.sharded else 1
    state = 4 * (4 * work.generator + 3 * work.discriminator) / share
    gradient = 4 * max(work.generator, work.discriminator)
    return state + gradient + BYTES[setting.precision] * work.kept * batch


def images_per_second(work: Workload, setting: Setting, batch: float, *, overlap: bool = True) -> float:
    """Of reals, over all chips."""
    step = predict(work, setting, batch)
    return setting.chips * batch / (step.overlapped if overlap else step.serial)


def efficiency(work: Workload, setting: Setting, batch: float) -> tuple[float, float]:
    """Images per second and chip, as a share of one chip's alone: without and with overlap."""
    alone = predict(work, replace(setting, chips=1, sharded=False), batch).device
    step = predict(work, setting, batch)
    return alone / step.serial, alone / step.overlapped
