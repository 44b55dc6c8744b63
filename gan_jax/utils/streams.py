"""Standard output and error that may be closed, full or gone, which must end no training."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any, TextIO


class Unfailing:
    """A text stream on which nothing fails: what cannot be written is dropped.

    All else is the stream's own. None, which Python has in the place of a closed one, drops everything.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes the text, if that is possible."""
        with contextlib.suppress(OSError, ValueError):  # a ValueError: it has been closed meanwhile
            if self._stream is not None:
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flushes the stream, if that is possible."""
        with contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.flush()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        with contextlib.suppress(ValueError):
            return self._stream is not None and self._stream.isatty()
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def make_safe() -> None:
    """Makes the program's standard streams safe to write to; to be called before any file is opened.

    A descriptor that is closed would be given to the next file that is opened, and libraries write messages
    to number 2: it is opened on the null device. What cannot be written to standard error is dropped.
    """
    while (lowest := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(lowest)
    if sys.stdout is None:
        sys.stdout = Unfailing(None)
    if not isinstance(sys.stderr, Unfailing):
        sys.stderr = Unfailing(sys.stderr)
