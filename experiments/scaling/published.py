"""Times that others measured on real machines, against this model: StyleGAN2 on 1 to 8 V100.

Seconds per thousand images from the table "Expected training time" in the README of
github.com/NVlabs/stylegan2-ada-pytorch (`--cfg=auto --aug=ada`, mixed precision, a DGX-1), the middle of its
ranges. That setting: two mapping layers; half of config F's features below 512; at most 32 images on a GPU
and 64 together, fewer at high resolution (its train.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from experiments.scaling import stylegan2
from experiments.scaling.hardware import GpuServer
from experiments.scaling.layers import forward_flops, parameters
from experiments.scaling.prediction import Setting, predict
from experiments.scaling.workloads import Workload, stylegan2_of
from gan_jax.accelerators.chips import GIGA, MICRO, TERA

V100 = GpuServer(
    name="V100 SXM2",
    bf16=125 * TERA,  # float16
    f32=15.7 * TERA,
    memory=32 * GIGA,
    memory_bandwidth=900 * GIGA,
    overhead=5 * MICRO,  # PyTorch launches each kernel on its own
    per_host=8,
    nvlink=130 * GIGA,  # 6 links of 25 GB/s in one direction
    infiniband=12.5 * GIGA,
    nvlink_latency=3 * MICRO,
    infiniband_latency=5 * MICRO,
)
GPUS = (1, 2, 4, 8)
SECONDS: dict[int, tuple[float, ...]] = {  # resolution -> per thousand images on each number of GPUs
    256: (22.9, 11.5, 5.75, 4.95),
    512: (73.7, 38.85, 18.9, 9.6),
    1024: (157.95, 83.4, 40.45, 20.4),
}


@dataclass(frozen=True)
class Comparison:
    """One cell of that table.

    Attributes:
        batch: images on each GPU.
        flops: per image, counted.
        measured: seconds per thousand images.
        predicted: likewise, with this model's assumed shares.
        ideal: likewise, had all operations reached peak or bandwidth and nothing else taken time.
    """

    resolution: int
    gpus: int
    batch: int
    flops: float
    measured: float
    predicted: float
    ideal: float


def work(resolution: int) -> Workload:
    """The networks of `--cfg=auto` at this resolution."""
    return stylegan2_of(resolution, base=32768 if resolution >= 512 else 16384, mapping_layers=2)


def compare() -> list[Comparison]:
    """All cells."""
    found = []
    for resolution, seconds in SECONDS.items():
        workload = work(resolution)
        for gpus, measured in zip(GPUS, seconds, strict=True):
            batch = min(gpus * min(4096 // resolution, 32), 64) // gpus
            setting = Setting(V100, gpus)
            free = Setting(V100, gpus, utilisation=1.0, bandwidth_share=1.0)
            predicted, ideal = predict(workload, setting, batch), predict(workload, free, batch)
            scale = 1000 / (gpus * batch)
            found.append(
                Comparison(
                    resolution,
                    gpus,
                    batch,
                    workload.flops(1.0),
                    measured,
                    scale * predicted.overlapped,
                    scale * max(ideal.arithmetic, ideal.memory),
                )
            )
    return found


def sizes(resolution: int, base: int, mapping_layers: int) -> tuple[int, int, float, float]:
    """Parameters and forward multiply-adds per image of both players, for comparison with others' counts."""
    generator = [*stylegan2.mapping(mapping_layers), *stylegan2.synthesis(resolution, base)]
    judge = stylegan2.discriminator(resolution, base)
    return parameters(generator), parameters(judge), forward_flops(generator) / 2, forward_flops(judge) / 2
