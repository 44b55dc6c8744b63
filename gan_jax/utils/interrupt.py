"""Ctrl-C and SIGTERM as a request to stop at the next good moment."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_AGAIN_SECONDS = 1.0


class Interrupted(BaseException):
    """The program was asked to stop; like KeyboardInterrupt, no `except Exception` holds it up.

    Attributes:
        signum: the signal that asked.
        everywhere: whether all processes of a run stopped together.
    """

    def __init__(self, signum: int, message: str, *, everywhere: bool = False) -> None:
        super().__init__(message)
        self.signum = signum
        self.everywhere = everywhere


def interrupt(signum: int, frame: FrameType | None) -> None:
    """A program's signal handler: stops it as Ctrl-C would, where there is nothing to save.

    Python drops what is raised in the middle of a garbage collection, and JAX has a callback there:
    whoever is still running a second later gets the signal again.
    """
    again = threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), signum))
    again.daemon = True
    again.start()
    raise Interrupted(signum, "stopped; what was saved before stays")


class StopRequest:
    """While it is entered, the first of some signals only sets `signum`; a second one acts as usual.

    Signals reach a program's main thread only: elsewhere it changes nothing.
    """

    def __init__(self, signals: tuple[signal.Signals, ...] = SIGNALS) -> None:
        self.signum: int | None = None
        self._signals = signals
        self._previous: dict[int, object] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for signum in self._signals:
                self._previous[signum] = signal.signal(signum, self._request)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _request(self, signum: int, frame: FrameType | None) -> None:
        self.signum = signum
        self._restore()

    def _restore(self) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)  # type: ignore[arg-type]
        self._previous = {}
