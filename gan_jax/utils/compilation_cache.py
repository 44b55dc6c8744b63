"""Persistent cache of compiled programs, in the user's cache folder.

JAX keeps them (docs.jax.dev/en/latest/persistent_compilation_cache.html) if it is told where. The name of an
entry is a digest of the program, the versions of JAX's libraries, the compiler's options and the kind of
accelerator, but not of the processor and its number of cores, for which XLA's CPU back end compiles: a
program from another machine can end in SIGILL, one for other cores is slow. So each has a folder of its own.

JAX writes an entry in place: a process that is killed, or a full disk, can leave half of one, and it would be
found damaged, and never replaced, ever after. Such an entry is removed here when JAX says so. JAX's own limit
on the size needs a package that we do not depend on, and locks (see jax issues 22718 and 39880); so old
entries are removed here, at the start.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from absl import logging

from gan_jax.utils.cache import cache_folder

MAX_BYTES = 2**30  # of all folders together; a small network's train step has 0.3 MB, on a CPU
OFF = "JAX_ENABLE_COMPILATION_CACHE=false switches it off, JAX_COMPILATION_CACHE_DIR names another folder"
# Small programs too: there are dozens before the first step, and each takes longer to compile than to read.
OPTIONS = {
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}
FAILED = re.compile(
    r"Error (reading|writing) persistent compilation cache entry for '([^']+)': (.*)", re.DOTALL
)


def enable() -> None:
    """Makes JAX keep what this process compiles, and use what others compiled.

    A JAX that has a folder, or is told to keep nothing, is left as it is. It is best called before JAX is
    imported, and at the latest before it compiles. A folder that cannot be used is said in a warning.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ or _switched_off():
        return
    jax = sys.modules.get("jax")
    if jax is not None and (
        jax.config.jax_compilation_cache_dir or not jax.config.jax_enable_compilation_cache
    ):
        return
    everything = cache_folder("compiled")
    folder = everything / machine()
    try:
        everything.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(exist_ok=True, mode=0o700)
        _check_owners(everything)
        _check_owners(folder)
        prune(everything, MAX_BYTES)
    except OSError as error:
        logging.warning("compiled programs are not kept in %s: %s; %s", folder, error.strerror or error, OFF)
        return
    options = {name: value for name, value in OPTIONS.items() if name.upper() not in os.environ}
    for name, value in {"jax_compilation_cache_dir": str(folder), **options}.items():
        if jax is None:
            os.environ[name.upper()] = str(value)  # JAX reads it when it is imported
        else:
            jax.config.update(name, value)
    warnings.showwarning = functools.partial(_remove_damaged, folder, set(), warnings.showwarning)


def machine() -> str:
    """Digest (16 hex digits) of the processor and its cores, which JAX leaves out of an entry's name."""
    lines = [*_processor(), os.environ.get("PJRT_NPROC", ""), str(len(_cores()))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def prune(folder: Path, limit: int) -> None:
    """Removes the files below `folder` that were used longest ago, until the rest have at most `limit` bytes.

    Where the file system notes the time of a use only once a day, it is right to the day. Files that other
    processes remove meanwhile are no error.
    """
    found = []
    for path in folder.rglob("*"):
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue
        if path.is_file():
            found.append((max(status.st_atime, status.st_mtime), status.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= limit:
            return
        path.unlink(missing_ok=True)
        total -= size


def _switched_off() -> bool:
    return os.environ.get("JAX_ENABLE_COMPILATION_CACHE", "true").lower() in (
        "0",
        "false",
        "f",
        "n",
        "no",
        "off",
    )


def _check_owners(folder: Path) -> None:
    """Raises an OSError if others may write here: who can write a program can run one as this user.

    A link counts as what it leads to: only this user can have made it, if the folder that it is in is this
    user's.
    """
    if os.name != "posix":
        return
    mode = folder.stat().st_mode
    for path in (folder, *folder.iterdir()):
        try:
            status = path.stat()
        except FileNotFoundError:  # another process removed it
            continue
        # What is in a folder that is closed to others may be open to them: a umask of 002 makes it so.
        reached = path == folder or mode & 0o011
        if status.st_uid != os.getuid() or (reached and status.st_mode & 0o022):
            raise PermissionError(
                1, f"others than this user may write to {path}, and so run programs as this user"
            )


def _processor() -> list[str]:
    """What the system says of the first processor: its model and its instructions."""
    about = [platform.system(), platform.machine(), platform.processor()]
    try:
        described = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return about
    # Of the rest much differs from core to core, or from moment to moment (the frequency).
    wanted = ("model name", "flags", "Features", "CPU implementer", "CPU part")
    return about + sorted(line for line in described if line.startswith(wanted))


def _cores() -> set[int]:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _remove_damaged(
    folder: Path,
    told: set[str],
    show: Callable[..., None],
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> Any:
    """Replaces `warnings.showwarning`: removes a damaged entry, and warns of each kind of failure once."""
    failed = FAILED.match(str(message))
    if failed is None:
        return show(message, category, filename, lineno, file, line)
    what, program, why = failed.groups()
    for path in folder.glob(f"{program}-*"):  # those of other programs of the same name are compiled again
        try:
            path.unlink(missing_ok=True)
        except OSError:
            continue  # a folder that can only be read
    if what not in told:
        told.add(what)
        logging.warning(
            "%s a compiled program in %s failed (%s); it is compiled anew. %s", what, folder, why, OFF
        )
