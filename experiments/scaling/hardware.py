"""The machines: what their makers publish, and the few numbers that have to be assumed.

What is published of a chip alone stands, with its sources, in `gan_jax.accelerators.chips`; here are the
networks between chips. Sources: NVIDIA's H100 architecture white paper; Google Cloud's pages
docs.cloud.google.com/tpu/docs/{v4,v5e,v5p,v6e}.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from gan_jax.accelerators import chips
from gan_jax.accelerators.chips import GIGA, GPUS, MICRO, TPUS


@dataclass(frozen=True)
class Network:
    """Links of one kind between `size` groups.

    Attributes:
        bandwidth: bytes/s that one chip sends, all of its links together.
        hops: how often a message is handed on in half of an all-reduce.
        latency: seconds for each of them.
    """

    size: int
    bandwidth: float
    hops: int
    latency: float


@dataclass(frozen=True)
class Chip:
    """One accelerator.

    Attributes:
        bf16: peak FLOP/s of matrix products with bfloat16 factors and float32 sums.
        f32: likewise for float32 factors in JAX's default precision: TF32 on the H100, one bfloat16 pass on a
            TPU, which therefore gains only memory traffic from bfloat16.
        memory: bytes.
        memory_bandwidth: bytes/s.
        overhead: seconds that an operation takes at least: on a GPU a kernel's launch from a command buffer
            to the next one. ASSUMED.
    """

    name: str
    bf16: float
    f32: float
    memory: float
    memory_bandwidth: float
    overhead: float

    def networks(self, chips: int) -> tuple[Network, ...]:
        """The levels of the network between this many chips, the innermost first.

        Raises:
            ValueError: no machine of this kind has so many chips, or they make no regular shape.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class GpuServer(Chip):
    """Servers of `per_host` GPUs on a switch, each GPU with a network card of its own.

    Attributes:
        nvlink: bytes/s in one direction that NCCL gets: 370 of 450 GB/s.
        infiniband: bytes/s of a GPU's card: 400 Gbit/s.
        nvlink_latency: of a step inside a server; a small all-reduce of 8 takes about 6 of them. ASSUMED.
        infiniband_latency: of a step between servers. ASSUMED.
    """

    per_host: int
    nvlink: float
    infiniband: float
    nvlink_latency: float
    infiniband_latency: float

    def networks(self, chips: int) -> tuple[Network, ...]:
        inside = min(chips, self.per_host)
        if chips % inside:
            raise ValueError(f"{chips} chips are not whole servers of {self.per_host}")
        # NCCL's trees: as many steps as a binary tree is high.
        levels = [Network(inside, self.nvlink, math.ceil(math.log2(inside)), self.nvlink_latency)]
        if chips > inside:
            hosts = chips // inside
            steps = math.ceil(math.log2(hosts))
            levels.append(Network(hosts, self.infiniband, steps, self.infiniband_latency))
        return tuple(levels)


@dataclass(frozen=True)
class TorusSlice(Chip):
    """Chips in a mesh whose axes close to rings where they are long enough.

    Attributes:
        link: bytes/s of one link in one direction.
        shapes: number of chips -> lengths of the axes.
        closes_at: an axis is a ring if its length is a multiple of this.
        pod: most chips that the links join; more are joined by the hosts' network ("multislice").
        outside: bytes/s for each chip of that network.
        hop: seconds from chip to chip. ASSUMED, 1 us.
        outside_latency: seconds between slices. ASSUMED.
    """

    link: float
    shapes: dict[int, tuple[int, ...]]
    closes_at: int
    pod: int
    outside: float
    hop: float = 1 * MICRO
    outside_latency: float = 50 * MICRO

    def networks(self, chips: int) -> tuple[Network, ...]:
        inside = min(chips, self.pod)
        if inside not in self.shapes or chips % inside:
            raise ValueError(f"{self.name}: no shape is known for {chips} chips")
        shape = self.shapes[inside]
        links = hops = 0
        for length in shape:
            ring = length % self.closes_at == 0
            links += 2 if ring else 1  # at the end of a line half of the links lead nowhere
            hops += length // 2 if ring else length - 1
        levels = [Network(inside, links * self.link, hops, self.hop)]
        if chips > inside:
            slices = chips // inside
            levels.append(Network(slices, self.outside, slices - 1, self.outside_latency))
        return tuple(levels)


def _published(chip: chips.Chip) -> dict[str, Any]:
    """The fields of a `Chip` here that the chip has there."""
    return {name: getattr(chip, name) for name in ("bf16", "f32", "memory", "memory_bandwidth", "overhead")}


_FLAT = {1: (1,), 8: (2, 4), 64: (8, 8), 256: (16, 16)}
_CUBES = {1: (1,), 8: (2, 2, 2), 64: (4, 4, 4), 512: (8, 8, 8)}

H100 = GpuServer(
    name="H100 SXM",
    **_published(GPUS["h100"]),
    per_host=8,
    nvlink=370 * GIGA,
    infiniband=50 * GIGA,
    nvlink_latency=2 * MICRO,
    infiniband_latency=5 * MICRO,
)
V5E = TorusSlice(
    name="TPU v5e",
    **_published(TPUS["v5e"]),
    link=50 * GIGA,  # 1600 Gbit/s = 200 GB/s each way over 4
    shapes=_FLAT,
    closes_at=16,
    pod=256,
    outside=6400 / 8 / 256 * GIGA,
)
V6E = TorusSlice(
    name="TPU v6e",
    **_published(TPUS["v6e"]),
    link=100 * GIGA,  # 3200 Gbit/s over 4
    shapes=_FLAT,
    closes_at=16,
    pod=256,
    outside=25600 / 8 / 256 * GIGA,
)
V4 = TorusSlice(
    name="TPU v4",
    **_published(TPUS["v4"]),
    link=50 * GIGA,  # not on its page: 2.4 Tbit/s = 300 GB/s each way over 6
    shapes=_CUBES,
    closes_at=4,
    pod=4096,
    outside=0.0,
)
V5P = TorusSlice(
    name="TPU v5p",
    **_published(TPUS["v5p"]),
    link=100 * GIGA,  # 1200 GB/s both ways over 6
    shapes=_CUBES,
    closes_at=4,
    pod=6144,
    outside=0.0,
)
CHIPS: dict[str, Chip] = {"h100": H100, "v4": V4, "v5e": V5E, "v5p": V5P, "v6e": V6E}
