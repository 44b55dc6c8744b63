"""Measured steps per second, of `python experiments/speed/run.py`, beside what the model predicts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from experiments.scaling.hardware import CHIPS, Chip
from experiments.scaling.prediction import Precision, Setting, predict
from experiments.scaling.workloads import Workload
from gan_jax.utils.errors import UserError

# What JAX and nvidia-smi call them.
NAMES = {
    "h100": "h100",
    "tpu v4": "v4",
    "tpu v5 lite": "v5e",
    "tpu v5e": "v5e",
    "tpu v5p": "v5p",
    "tpu v6 lite": "v6e",
    "tpu v6e": "v6e",
}


@dataclass(frozen=True)
class Row:
    """One contender at one batch size.

    Attributes:
        steps_per_second: measured, the median over the rounds.
        predicted: by the model, on the same chip.
        assumed: which shares of the peaks the prediction takes for granted.
        flops_per_second: of the model's flops for these steps, which are the definition's but for resampled
            kernels. What a contender really multiplies may be more or less: ours has Fourier forms on a CPU.
    """

    work: str
    batch: int
    contender: str
    device: str
    steps_per_second: float
    predicted: float
    assumed: str
    flops_per_second: float


def chip_of(device: str) -> Chip | None:
    """The chip that a device's name stands for; None for others."""
    return next((CHIPS[name] for key, name in NAMES.items() if key in device.lower()), None)


def measured_chip(name: str, peaks: dict[str, float]) -> Chip:
    """A device as the benchmark's own matrix products and copies found it; nothing to launch."""
    f32 = peaks["gemm_float32"]
    return Chip(name, peaks.get("gemm_bfloat16", f32), f32, 0.0, peaks["triad"], 0.0)


def compare(path: Path, works: dict[str, Workload]) -> list[Row]:
    """The file's measurements of works that the model has.

    On a chip of the model's table the prediction is the model's, with its assumed shares of the peaks. On
    any other device it is the time of the model's flops and bytes at the peaks that the benchmark measured
    there, so that measured divided by predicted is a share of them.

    Args:
        path: what `python experiments/speed/run.py` wrote.

    Raises:
        UserError: the file cannot be read, is something else, or has no measurement of a known work.
    """
    try:
        results = json.loads(path.read_text())
        rows = [
            row
            for match in results["matches"]
            if match["work"] in works
            for row in _rows(results, match, works)
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"--measured={path}: this is no result of experiments/speed ({type(error).__name__}: {error})"
        ) from error
    if not rows:
        raise UserError(f"--measured={path}: it has no measurement of {', '.join(works)}")
    return rows


def _rows(results: dict[str, Any], match: dict[str, Any], works: dict[str, Workload]) -> list[Row]:
    work, batch = works[match["work"]], int(match["batch"])
    hardware = results["hardware"]
    device = hardware["gpus"][0] if hardware["gpus"] else hardware["cpu"]
    chip = chip_of(device)
    rows = []
    for name, entry in match["contenders"].items():
        if not entry["rounds"]:
            continue
        precision: Precision = "bfloat16" if "bf16" in name else "float32"
        if chip is None:
            ideal = measured_chip(device, results["peaks"])
            setting = Setting(ideal, precision=precision, utilisation=1.0, bandwidth_share=1.0)
            assumed = "measured peaks"
        else:
            setting = Setting(chip, precision=precision)
            assumed = f"{100 * setting.utilisation:.0f} % of peak"
        speed = median(x["steps"] / x["seconds"] for x in entry["rounds"])
        predicted = 1 / predict(work, setting, batch).device
        flops = speed * work.flops(batch)
        rows.append(Row(match["work"], batch, name, device, speed, predicted, assumed, flops))
    return rows
