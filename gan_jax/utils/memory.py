"""How much memory this process can still get, and errors for what asks for more."""

from __future__ import annotations

import contextlib
import os
import re
import resource
from collections.abc import Iterator
from pathlib import Path

from gan_jax.utils.errors import UserError

_EXHAUSTED = re.compile(r"RESOURCE_EXHAUSTED|out of memory|bad_alloc", re.IGNORECASE)
_START_BYTES = 400 * 2**20
_START_SPACE, _THREAD_SPACE = 9 * 2**28, 80 * 2**20  # much of it is reserved and never touched
_START = "let other programs end first, or raise the limit of the container or job"
WAYS_OUT = (
    "a smaller batch_size, execution.accumulation=N (a mini-batch in N parts) or "
    "execution.remat=True (activations computed again) takes less"
)


def mebibytes(count: int) -> str:
    """A number of bytes as text."""
    return f"{count / 2**20:,.1f} MiB"


def host_bytes(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that this process can still allocate: what the system has, and what limits leave of it.

    Limits are those of the process (ulimit -v, -d) and of its control groups, versions 1 and 2.
    """
    left = [_system(proc), *_limits(proc)]
    for line in _text(proc / "self" / "cgroup").splitlines():
        _, kinds, path = line.split(":", 2)
        if not kinds:
            left += _groups(cgroups, path, "memory.max", "memory.current", "")
        elif "memory" in kinds.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
            left += _groups(cgroups / "memory", path, *names)
    return max(0, min(left))


def check_start(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> None:
    """Raises a UserError where there is too little memory to import JAX: its threads would crash or hang."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    check_fits({"JAX and its compiler": _START_BYTES}, host_bytes(proc, cgroups), "on this machine", _START)
    space = {"the address space of JAX and its threads": _START_SPACE + cores * _THREAD_SPACE}
    for left in _limits(proc):
        check_fits(space, left, "within the limits of this process", "raise them (ulimit -v, ulimit -d)")


def check_fits(needed: dict[str, int], there: int, where: str, remedy: str) -> None:
    """Raises a UserError unless the parts of what is needed, in bytes by name, fit into what there is.

    Args:
        where: completes "there are ... MiB", such as "on each of 8 gpu devices".
        remedy: what takes less.
    """
    if sum(needed.values()) > there:
        parts = ", ".join(f"{name} {mebibytes(x)}" for name, x in needed.items() if mebibytes(x) != "0.0 MiB")
        raise UserError(
            f"not enough memory: {mebibytes(sum(needed.values()))} are needed ({parts}), and there are "
            f"{mebibytes(there)} {where}: {remedy}"
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, Python's or XLA's, says that there is not enough memory."""
    return isinstance(error, MemoryError) or (
        type(error).__name__ == "JaxRuntimeError" and bool(_EXHAUSTED.search(str(error)))
    )


def out_of_memory(error: BaseException, remedy: str = WAYS_OUT) -> UserError:
    """The UserError for such an error: what was asked for, what there is, and what takes less."""
    asked = " ".join((str(error).splitlines() or [""])[0].removeprefix("RESOURCE_EXHAUSTED: ").split())[:200]
    there = mebibytes(host_bytes())
    return UserError(
        f"not enough memory: {asked or 'nothing is left'}; this machine has {there} left: {remedy}"
    )


@contextlib.contextmanager
def told_if_exhausted() -> Iterator[None]:
    """Turns an error about memory, Python's or XLA's, into a UserError."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise out_of_memory(error) from error


def _system(proc: Path) -> int:
    """What the system could give without taking it from others; swap is part of it."""
    values = _numbers(proc / "meminfo")
    if "MemAvailable" in values:
        return 1024 * (values["MemAvailable"] + values.get("SwapFree", 0))
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _limits(proc: Path) -> list[int]:
    """What the limits of the process leave."""
    used = _numbers(proc / "self" / "status")
    kinds = {"VmSize": resource.RLIMIT_AS, "VmData": resource.RLIMIT_DATA}
    limits = {name: resource.getrlimit(kind)[0] for name, kind in kinds.items()}
    return [
        limit - 1024 * used.get(name, 0) for name, limit in limits.items() if limit != resource.RLIM_INFINITY
    ]


def _groups(root: Path, path: str, limit: str, usage: str, prefix: str) -> list[int]:
    """What a control group and those above it leave; cached files can be given up, and are not counted."""
    left = []
    inner = root / path.strip("/")
    for folder in [inner, *inner.parents]:
        most, used = _text(folder / limit).strip(), _text(folder / usage).strip()
        if most.isdecimal() and used.isdecimal():
            cached = _numbers(folder / "memory.stat")
            files = sum(cached.get(f"{prefix}{name}_file", 0) for name in ("active", "inactive"))
            left.append(int(most) - int(used) + files)
        if folder == root:
            break
    return left


def _numbers(path: Path) -> dict[str, int]:
    """The lines "name: number ..." of a file of the system's."""
    found = re.findall(r"^(\w+):?\s+(\d+)", _text(path), re.MULTILINE)
    return {name: int(number) for name, number in found}


def _text(path: Path) -> str:
    """What is in a file; "" where there is none."""
    try:
        return path.read_text()
    except OSError:
        return ""
