"""Where a result came from: versions, devices, git revision."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import jax

from gan_jax.utils.determinism import is_demanded

_PACKAGES = ("gan-jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def describe_environment() -> dict[str, Any]:
    """What a run's config.json says about where it ran; plain JSON values.

    Keys: time (UTC, ISO 8601), python, packages (name -> version, None if not installed),
    devices (platform, kind, count), processes, cpus, xla_flags ($XLA_FLAGS), deterministic (whether XLA was
    asked for the same bits from every run), git_revision (None outside a checkout; ends in "-dirty" if the
    package's files differ from it).
    """
    device = jax.devices()[0]
    return {
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "devices": {"platform": device.platform, "kind": device.device_kind, "count": jax.device_count()},
        "processes": jax.process_count(),
        "cpus": os.cpu_count(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "deterministic": is_demanded(),
        "git_revision": git_revision(Path(__file__).parent),
    }


def hardware() -> str:
    """One device of this process in words: "NVIDIA H200", "2 cores of AMD EPYC 7763 64-Core Processor"."""
    device = jax.local_devices()[0]
    if device.platform != "cpu":
        return str(device.device_kind)
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores of {next(filter(None, names), platform.machine())}"


def git_revision(folder: Path) -> str | None:
    """The commit that `folder` is checked out at, or None; "-dirty" is added if its files differ."""
    if not _git(folder, "ls-files", "."):
        return None  # installed somewhere below a checkout of something else
    revision = _git(folder, "rev-parse", "HEAD")
    if revision is None:
        return None
    return revision + ("-dirty" if _git(folder, "status", "--porcelain", ".") else "")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(folder: Path, *arguments: str) -> str | None:
    """What git answers, or None if there is no git or it has no answer."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
