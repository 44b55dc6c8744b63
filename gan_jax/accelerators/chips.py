"""What is published about accelerators, and the little that has to be assumed about them.

Sources: NVIDIA's data sheets of the H100 SXM and the A100 SXM (dense, without sparsity) and the CUDA
programming guide's table of compute capabilities; Google Cloud's pages
docs.cloud.google.com/tpu/docs/{v4,v5e,v5p,v6e}, and for the v5e's clock
jax-ml.github.io/scaling-book/tpus; for what NCCL reaches on NVLink its authors in
github.com/NVIDIA/nccl-tests/issues/212.
"""

from __future__ import annotations

from dataclasses import dataclass

TERA, GIGA, MICRO = 1e12, 1e9, 1e-6


@dataclass(frozen=True)
class Chip:
    """One accelerator.

    Attributes:
        name: as its maker calls it.
        bf16: peak FLOP/s of matrix products with bfloat16 factors and float32 sums.
        f32: likewise for float32 factors in JAX's default precision: TF32 on a GPU, one bfloat16 pass on a
            TPU.
        memory: bytes.
        memory_bandwidth: bytes/s.
        links: bytes/s that a chip can send to the others of its host or slice.
        overhead: seconds that a kernel takes at least: on a GPU inside a command buffer. ASSUMED.
        lone_overhead: likewise of a kernel that the host launches by itself. ASSUMED.
        latency: seconds that a collective takes at least. ASSUMED.
    """

    name: str
    bf16: float
    f32: float
    memory: float
    memory_bandwidth: float
    links: float
    overhead: float
    lone_overhead: float
    latency: float


@dataclass(frozen=True)
class Tpu(Chip):
    """A TPU.

    Attributes:
        clock: Hz, in which the compiler's cycles are read; None where one of XLA's devices is half a chip
            (v4), or where no clock was found.
    """

    clock: float | None


@dataclass(frozen=True)
class Gpu(Chip):
    """A GPU, with what XLA asks of it when it chooses tiles and fusions.

    Attributes:
        per_host: GPUs of one machine.
        capability: compute capability, major and minor.
        cores: streaming multiprocessors.
        fpus: float32 units of each.
        clock: GHz.
        shared: bytes of shared memory of each core.
        l2: bytes of cache.
    """

    per_host: int
    capability: tuple[int, int]
    cores: int
    fpus: int
    clock: float
    shared: int
    l2: int


def _tpu(
    name: str, flops: float, memory: float, bandwidth: float, links: float, clock: float | None = None
) -> Tpu:
    return Tpu(
        name=name,
        bf16=flops * TERA,
        f32=flops * TERA,
        memory=memory,
        memory_bandwidth=bandwidth * GIGA,
        links=links * GIGA,
        overhead=1 * MICRO,
        lone_overhead=1 * MICRO,
        latency=5 * MICRO,
        clock=clock,
    )


TPUS: dict[str, Tpu] = {
    "v4": _tpu("TPU v4", 275, 32 * 2**30, 1200, 300),
    "v5e": _tpu("TPU v5e", 197, 16 * 2**30, 819, 200, clock=1.5e9),
    "v5p": _tpu("TPU v5p", 459, 95 * 2**30, 2765, 600),
    "v6e": _tpu("TPU v6e", 918, 32 * 2**30, 1600, 400),
}
GPUS: dict[str, Gpu] = {
    "h100": Gpu(
        name="NVIDIA H100 80GB HBM3",
        bf16=989.4 * TERA,
        f32=494.7 * TERA,
        memory=80 * GIGA,
        memory_bandwidth=3350 * GIGA,
        links=370 * GIGA,
        overhead=2 * MICRO,
        lone_overhead=4 * MICRO,
        latency=12 * MICRO,
        per_host=8,
        capability=(9, 0),
        cores=132,
        fpus=128,
        clock=1.98,
        shared=228 * 1024,
        l2=50 * 2**20,
    ),
    "a100": Gpu(
        name="NVIDIA A100-SXM4-80GB",
        bf16=312 * TERA,
        f32=156 * TERA,
        memory=80 * GIGA,
        memory_bandwidth=2039 * GIGA,
        links=240 * GIGA,
        overhead=2 * MICRO,
        lone_overhead=4 * MICRO,
        latency=12 * MICRO,
        per_host=8,
        capability=(8, 0),
        cores=108,
        fpus=64,
        clock=1.41,
        shared=164 * 1024,
        l2=40 * 2**20,
    ),
}


def description(gpu: Gpu) -> str:
    """The GPU in the words of XLA's `GpuTargetConfigProto`, with cuDNN 9.8 and CUDA 12.9."""
    device = {
        "threads_per_block_limit": 1024,
        "threads_per_warp": 32,
        "shared_memory_per_block": 48 * 1024,
        "shared_memory_per_core": gpu.shared,
        "shared_memory_per_block_optin": gpu.shared - 1024,
        "threads_per_core_limit": 2048,
        "core_count": gpu.cores,
        "fpus_per_core": gpu.fpus,
        "block_dim_limit_x": 2**31 - 1,
        "block_dim_limit_y": 2**16 - 1,
        "block_dim_limit_z": 2**16 - 1,
        "memory_bandwidth": round(gpu.memory_bandwidth),
        "l2_cache_size": gpu.l2,
        "clock_rate_ghz": gpu.clock,
        "device_memory_size": round(gpu.memory),
        "registers_per_core_limit": 2**16,
        "registers_per_block_limit": 2**16,
    }
    major, minor = gpu.capability
    lines = [f"  {name}: {value}" for name, value in device.items()]
    lines.append(f"  cuda_compute_capability {{ major: {major} minor: {minor} }}")
    return "\n".join(
        [
            "gpu_device_info {",
            *lines,
            "}",
            'platform_name: "CUDA"',
            "dnn_version_info { major: 9 minor: 8 patch: 0 }",
            "runtime_version { major: 12 minor: 9 patch: 0 }",
            f'device_description_str: "{gpu.name}"',
        ]
    )
