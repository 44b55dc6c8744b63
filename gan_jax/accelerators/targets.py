"""Targets by name ("v5e:4x4", "h100", "h100:8"), and the devices that their compilers are told of.

JAX builds a topology without a device (`jax.experimental.topologies`), and XLA's own back ends for TPUs and
GPUs compile for it on any x86 machine that has the packages of the extra `accelerators`.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from jax.experimental import topologies

from gan_jax.accelerators.chips import GPUS, TPUS, Chip, Gpu, description
from gan_jax.accelerators.environment import FOLDER, prepare
from gan_jax.utils.determinism import is_demanded
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import did_you_mean

EXTRA = "in a clone, make install EXTRAS=accelerators"
PACKAGES = {"tpu": ("libtpu",), "gpu": ("jax_cuda12_plugin", "jax_plugins.xla_cuda12")}


@dataclass(frozen=True)
class Target:
    """What a program is compiled for.

    Attributes:
        name: as it was asked for.
        platform: "tpu" or "gpu".
        chip: of which there are several.
        topology: what JAX is told: the slice of a TPU, or "slices x hosts x GPUs".
    """

    name: str
    platform: str
    chip: Chip
    topology: str


def parsed(name: str) -> Target:
    """The target of a name.

    Raises:
        UserError: no such chip, or no such number or shape of them.
    """
    chip, _, shape = name.strip().lower().partition(":")
    known = [*TPUS, *GPUS]
    if chip not in known:
        meant = did_you_mean(chip, known)
        raise UserError(
            f"target={name!r}: the chips are {', '.join(known)}{meant}; v5e:4x4 or h100:8 name several"
        )
    if chip in TPUS:
        if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*){1,2}", shape):
            example = "2x2" if chip in ("v5e", "v6e") else "2x2x1"
            raise UserError(f"target={name!r}: a TPU is a slice of a shape, such as {chip}:{example}")
        return Target(name, "tpu", TPUS[chip], f"{chip}:{shape}")
    gpu = GPUS[chip]
    if shape and not re.fullmatch(r"[1-9]\d{0,4}", shape):
        raise UserError(f"target={name!r}: after the colon stands a number of GPUs, such as {chip}:8")
    count = int(shape or 1)
    inside = min(count, gpu.per_host)
    if count % inside:
        raise UserError(
            f"target={name!r}: more than {gpu.per_host} GPUs are whole machines of {gpu.per_host}"
        )
    return Target(name, "gpu", gpu, f"1x{count // inside}x{inside}")


def missing(platform: str) -> list[str]:
    """What of the extra `accelerators` is not installed that this platform's compiler needs."""
    absent = [name for name in PACKAGES[platform] if not _is_there(name)]
    if platform == "gpu" and not absent and _assembler() is None:
        absent.append("ptxas of nvidia-cuda-nvcc-cu12")
    return absent


def devices(target: Target) -> list[jax.Device]:
    """The devices of the target, which can be compiled for and nothing else.

    Raises:
        UserError: the compilers are not installed; JAX knows no slice of this shape.
    """
    if absent := missing(target.platform):
        raise UserError(f"target={target.name}: {', '.join(absent)} is not installed: {EXTRA}")
    prepare()
    options: dict[str, Any]
    if isinstance(target.chip, Gpu):
        os.environ["PATH"] = f"{os.environ.get('PATH', '')}{os.pathsep}{_assembler()}"
        options = dict(platform="cuda", target_config=description(target.chip), topology=target.topology)
    else:
        options = dict(platform="tpu", topology_name=target.topology)
    try:
        return list(topologies.get_topology_desc(**options).devices)
    except (jax.errors.JaxRuntimeError, ValueError, RuntimeError) as error:
        raise UserError(f"target={target.name}: {(str(error).splitlines() or [''])[0]}") from error


def compiler_options(target: Target) -> dict[str, Any]:
    """What the compiler must be told where there is no device on which it could time kernels."""
    if target.platform != "gpu":
        return {}
    return {"xla_gpu_autotune_level": 0, "xla_gpu_deterministic_ops": is_demanded()}


def _is_there(module: str) -> bool:
    return any((place / module.replace(".", "/")).is_dir() for place in _places())


def _assembler() -> str | None:
    """The folder of ptxas: on the PATH, or among NVIDIA's packages."""
    if found := shutil.which("ptxas"):
        return str(Path(found).parent)
    found_there = (file for place in _places() for file in sorted(place.glob("nvidia/*/bin/ptxas")))
    return next((str(file.parent) for file in found_there), None)


def _places() -> list[Path]:
    """Where packages lie: the compilers' own folder too, which only `prepare` puts on the path."""
    return [*map(Path, sys.path), FOLDER]
