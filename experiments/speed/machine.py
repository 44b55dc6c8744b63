"""The machine and the packages that a report is about."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

PACKAGES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "numpy",
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "torch",
    "triton",
    "jax-cuda12-plugin",
    "jax-cuda13-plugin",
)
TICK = os.sysconf("SC_CLK_TCK")  # units of /proc's CPU times, per second


def gpus() -> list[str]:
    """The names of NVIDIA's GPUs, with their drivers; none where there is no `nvidia-smi`."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    told = subprocess.run(query, capture_output=True, text=True, check=False)
    return told.stdout.strip().splitlines() if told.returncode == 0 else []


def cpu_model() -> str:
    """As /proc/cpuinfo has it, with family and model number: virtual machines tell no more."""
    text = Path("/proc/cpuinfo").read_text()

    def field(name: str) -> str:
        found = re.search(rf"^{name}\s*: (.*)$", text, re.MULTILINE)
        return found[1].strip() if found else "unknown"

    widest = next((x for x in ("avx512f", "avx2", "avx") if x in field("flags").split()), "")
    extra = [name for name in (widest, "amx_bf16") if name and name in field("flags").split()]
    name = field("model name")
    return f"{name} (family {field('cpu family')}, model {field('model')}; {', '.join(extra)})"


def hardware() -> dict[str, object]:
    """What is measured on."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": pages,
        "gpus": gpus(),
        "system": f"{platform.system()} {platform.release()}",
    }


def slug(found: dict[str, object]) -> str:
    """A file name's part for the hardware: the first GPU's name, or the CPU's and its cores."""
    names = found["gpus"]
    assert isinstance(names, list)
    text = (
        names[0].split(",")[0]
        if names
        else f"{str(found['cpu']).split(' (family')[0]} {found['cores']} cores"
    )
    text = re.sub(r"\((r|tm)\)|processor|cpu", "", text, flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def versions(root: Path) -> dict[str, str]:
    """Of Python, of the packages that are installed, and of this checkout."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    git = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    if shutil.which("git") is not None:
        told = subprocess.run(git, capture_output=True, text=True, check=False)
        if told.returncode == 0:
            found["gan_jax"] = told.stdout.strip()
    return found


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def busy_seconds() -> float:
    """CPU time of everything on the machine so far."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq) / TICK
