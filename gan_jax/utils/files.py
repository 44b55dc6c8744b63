"""Atomic writes, locks on folders, and error messages for failing disks."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gan_jax.utils.errors import UserError


def disk_error(doing: str, code: int | None) -> UserError:
    """The error for a disk operation that failed.

    Args:
        doing: completes "cannot ...", with the path: "write runs/x/config.json".
        code: the system's error number.
    """
    full = code in (errno.ENOSPC, errno.EDQUOT)
    remedy = "Free some space" if full else "Check the folder and who may read and write it"
    reason = os.strerror(code) if code is not None else "the disk gave an error"
    return UserError(f"cannot {doing}: {reason}. {remedy} and give the same command again.")


@contextlib.contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Turns an OSError into a UserError; `doing` as in `disk_error`."""
    try:
        yield
    except OSError as error:
        raise disk_error(doing, error.errno) from error


def write_atomically(path: Path | str, content: bytes) -> None:
    """Writes a file so that a reader, or a kill, never sees half of it; makes the folders above it.

    Raises:
        UserError: the disk is full or the folder cannot be written to.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with disk_errors(f"write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def write_json(path: Path | str, value: Any) -> None:
    """Writes `value` as indented JSON, atomically; errors as in `write_atomically`."""
    write_atomically(path, (json.dumps(value, indent=2) + "\n").encode())


@contextlib.contextmanager
def locked(folder: Path, name: str = "lock", doing: str = "works on") -> Iterator[Path]:
    """The folder, made and kept from other processes as long as the context lasts, by a lock on a file in it.

    The lock is the system's: it ends with the process, however that ends. On a network file system it holds
    between machines where the file system has locks.

    Args:
        doing: what the other process does, for the message: "another process DOING runs/x".

    Raises:
        UserError: another process has it, or the folder cannot be written to.
    """
    with disk_errors(f"write {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / name).open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise disk_error(f"lock {folder / name}", error.errno) from error
            raise UserError(
                f"another process {doing} {folder}: wait for it, or choose another folder"
            ) from error
        yield folder
