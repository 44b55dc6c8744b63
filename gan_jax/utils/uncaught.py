"""Errors that Python can raise nowhere, those of threads and callbacks: a line each, no traceback."""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import Any

from gan_jax.utils.interrupt import Interrupted
from gan_jax.utils.names import without_addresses

_AGAIN_SECONDS = 0.1


def is_late(error: BaseException | None) -> bool:
    """Whether TensorStore's threads came to an error after Orbax had raised the first one and given up.

    They then report to an event loop that is closed. What raised the first error says it.
    """
    return str(error) == "Event loop is closed" or "tensorstore" in str(error).lower()


class OneLine(logging.Formatter):
    """A log record as one line, with the error that it is about."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        lines = record.getMessage().splitlines() or [""]
        error = record.exc_info[1] if record.exc_info else None
        told = f"gan-jax: warning: {lines[0]}{f' ({_described(error)})' if error else ''}"
        return without_addresses(told)


def tell_in_a_line() -> None:
    """Makes a program say such errors in a line; a request to stop that got lost there is repeated."""
    sys.unraisablehook = _unraisable
    threading.excepthook = _of_thread


def _unraisable(told: Any) -> None:
    error = told.exc_value
    if isinstance(error, Interrupted):
        # Raised in a callback of JAX's in the middle of a garbage collection, for example.
        again = threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), error.signum))
        again.daemon = True
        again.start()
    elif not is_late(error):
        logging.getLogger("absl").warning("ignored %s", _described(error))


def _of_thread(told: Any) -> None:
    if not isinstance(told.exc_value, SystemExit):
        logging.getLogger("absl").warning("in a background thread: %s", _described(told.exc_value))


def _described(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
