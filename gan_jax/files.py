"""Writing to disk: whole or not at all, and with words for what a disk can do to us."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gan_jax.errors import UserError


def disk_error(doing: str, code: int | None) -> UserError:
    """The one line for a disk that refused.

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
