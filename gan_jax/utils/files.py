"""Atomic writes to regular files, locks on folders, and error messages for failing disks."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import json
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded

_LEFTOVER_SECONDS = 3600.0  # a temporary file so old is that of a process that was killed


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


def check_regular(path: str | Path) -> None:
    """Raises a UserError where something else than a regular file has this name.

    A link is not followed: in a folder that others can write to, it may lead to a file of this user that has
    nothing to do with us. And whoever may replace a device must not do so by accident.
    """
    path = expanded(path)
    with disk_errors(f"write {path}"):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return
    if stat.S_ISREG(mode):
        return
    kinds = {
        stat.S_IFLNK: "a link",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
    }
    kind = kinds.get(stat.S_IFMT(mode), "a device")
    raise UserError(
        f"cannot write {path}: it is {kind}, and only regular files are written. Choose another name, or "
        "move it away"
    )


def open_file(path: Path | str, mode: str, encoding: str | None = None) -> IO[Any]:
    """`open` for a regular file that is to be written: never through a link, never a device or a pipe.

    Raises:
        UserError: it is something else.
        OSError: as `open`.
    """
    path = expanded(path)
    check_regular(path)
    # Again when it is open: it may have been replaced meanwhile. A pipe must not be waited for.
    flags = os.O_NOFOLLOW | os.O_NONBLOCK
    file = open(  # noqa: SIM115 (it is the caller's)
        path, mode, encoding=encoding, opener=lambda name, wanted: os.open(name, wanted | flags, 0o666)
    )
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, f"{path} is not a regular file")
    return file


def write_atomically(path: Path | str, content: bytes) -> None:
    """Writes a regular file so that a reader, a kill or a power cut never sees half of it.

    The folders above are made. Once it returns the content is on the disk, not only in the system's memory.
    What a killed process left half-written under the same name is deleted after an hour.

    Raises:
        UserError: the disk is full, the folder cannot be written to, or this is no name of a regular file.
    """
    path = expanded(path)
    with disk_errors(f"write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        check_regular(path)
        # As mkstemp makes it, a name that nobody can guess and that is new, but with the user's umask.
        begins = f".{path.name[:40]}."
        temporary = path.with_name(f"{begins}{secrets.token_hex(8)}.tmp")
        try:
            with open_file(temporary, "xb") as file:
                file.write(content)
                file.flush()
                flush_to_disk(file.fileno())
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    flush_names(path.parent)
    for leftover in path.parent.glob(f"{glob.escape(begins)}{'[0-9a-f]' * 16}.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.lstat().st_mtime > _LEFTOVER_SECONDS:
                leftover.unlink()


def flush_to_disk(descriptor: int) -> None:
    """Returns once the disk has what was written to an open file; an OSError where it cannot take it."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that have no such call
            raise


def flush_names(folder: str | Path) -> None:
    """Makes the disk keep which files a folder holds, where the file system can be asked to."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def checked_suffix(path: Path | str, allowed: Iterable[str]) -> str:
    """The ending of a file's name in small letters; it says what is in the file.

    Raises:
        UserError: it is none of these.
    """
    suffix, choices = Path(path).suffix.lower(), list(allowed)
    if suffix not in choices:
        raise UserError(f"{path}: the name must end in {' or '.join(choices)}, which is what is written")
    return suffix


def write_json(path: Path | str, value: Any) -> None:
    """Writes `value` as indented JSON, atomically; errors as in `write_atomically`."""
    write_atomically(path, (json.dumps(value, indent=2) + "\n").encode())


@contextlib.contextmanager
def kept_from_sweeping(folder: Path, name: str, sweep: Callable[[], None]) -> Iterator[None]:
    """Context of those that write what looks left behind until it is whole; the first of them sweeps before.

    A lock on a file in the folder tells whether others are inside. Where the file system has no locks nobody
    sweeps.

    Args:
        sweep: deletes what is left behind.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open_file(folder / name, "a") as lock:
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            sweep()
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def locked(folder: str | Path, name: str = "lock", doing: str = "works on") -> Iterator[Path]:
    """The folder, made and kept from other processes as long as the context lasts, by a lock on a file in it.

    The lock is the system's: it ends with the process, however that ends. On a network file system it holds
    between machines where the file system has locks.

    Args:
        doing: what the other process does, for the message: "another process DOING runs/x".

    Raises:
        UserError: another process has it, or the folder cannot be written to.
    """
    folder = expanded(folder)
    with disk_errors(f"write {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        lock = open_file(folder / name, "a")  # what is in it stays: it might be a file that is not ours
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


@contextlib.contextmanager
def taking_turns(folder: Path) -> Iterator[None]:
    """Waits until no other process is in here with this folder: for a file that is read and written anew.

    Where there is no such folder, or the file system has no locks on folders, nobody waits.
    """
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            held.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
