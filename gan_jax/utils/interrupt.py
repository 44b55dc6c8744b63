"""Ctrl-C, SIGTERM and SIGHUP as a request to stop at the next good moment.

Python calls a signal's handler in the main thread only, between two of its instructions: while XLA compiles
or allocates that can be minutes. So a program has a thread too (`answer_signals`) that the system wakes at
once: it says what will happen, and ends the program where the main thread does not.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import ClassVar, NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOPPED = "stopped; what was saved before stays"
_COPY_SECONDS = 0.1  # launchers pass on what the terminal has sent already: one request, not two
_DEAF_SECONDS = 1.0  # for the main thread to see a signal after which there is nothing to be saved
_LEAVING_SECONDS = 3.0  # for it to clean up, once it has


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


class StopRequest:
    """While it is entered, the first of some signals only sets `signum`; the next one acts as usual.

    Signals reach a program's main thread only: elsewhere it changes nothing.
    """

    entered: ClassVar[bool] = False  # whether there is one; signals are the whole process's

    def __init__(self, signals: tuple[signal.Signals, ...] = SIGNALS) -> None:
        self.signum: int | None = None
        self._signals = signals
        self._previous: dict[int, object] = {}
        self._requested_at = 0.0

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            StopRequest.entered = True
            for signum in self._signals:
                if not _is_ignored(signum):
                    self._previous[signum] = signal.signal(signum, self._request)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._previous:
            StopRequest.entered = False
        self._restore()

    def _request(self, signum: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.signum is None:
            self.signum, self._requested_at = signum, now
        elif now - self._requested_at > _COPY_SECONDS:
            self._restore()
            signal.raise_signal(signum)

    def _restore(self) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)  # type: ignore[arg-type]
        self._previous = {}


def answer_signals() -> None:
    """Makes this program answer SIGNALS within a second, whatever its main thread is doing.

    While a `StopRequest` is entered, the first signal is a request, which is said in a line. Any other one
    raises `Interrupted` in the main thread; where that does not end the program soon, it is ended from here.
    The exit code is 128 + the signal. To be called once, as early as possible, by the main thread.
    """
    if signal.getsignal(signal.SIGTERM) is interrupt:
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_answer, args=(reading,), name="signals", daemon=True).start()
    for signum in SIGNALS:
        if not _is_ignored(signum):
            signal.signal(signum, interrupt)


def interrupt(signum: int, frame: FrameType | None) -> None:
    """A program's signal handler, where there is nothing to be saved: raises `Interrupted`.

    In the middle of an import it ends the program: compiled modules can crash where that fails.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            end(signum)
        frame = frame.f_back
    _raised.set()
    raise Interrupted(signum, STOPPED)


def end(signum: int) -> NoReturn:
    """Ends this process at once, with a line."""
    say(STOPPED)
    os._exit(128 + signum)


def say(text: str) -> None:
    """Writes a line on standard error past Python's buffers and locks, which another thread may hold."""
    with contextlib.suppress(OSError):
        bar = "\n" if os.isatty(2) else ""  # a progress bar may be on the line
        os.write(2, f"{bar}gan-jax: {text}\n".encode())


ending = threading.Event()  # set by who ends this process already, in a way of its own
_raised = threading.Event()  # whether the main thread has been given an `Interrupted`


def _is_ignored(signum: signal.Signals) -> bool:
    """Whether nobody wants to hear of it: nohup ignores SIGHUP for a program that it starts."""
    return signum == signal.SIGHUP and signal.getsignal(signum) == signal.SIG_IGN


def _answer(reading: int) -> None:
    """The thread of `answer_signals`; `reading` gets a byte for each signal."""
    signum, leaving = _next(reading), _LEAVING_SECONDS
    if StopRequest.entered:
        requested_at = time.monotonic()
        say(
            f"{signal.Signals(signum).name}: stopping once the steps that are under way, or the compiler, "
            "are done; then everything is saved. A second one stops at once"
        )
        while (signum := _next(reading)) and time.monotonic() - requested_at <= _COPY_SECONDS:
            pass
        leaving = 0.0
    ending.wait(_DEAF_SECONDS)
    if _raised.is_set():
        ending.wait(leaving)
    if not ending.is_set():
        end(signum)


def _next(reading: int) -> int:
    """The next of SIGNALS; waits for it."""
    while (signum := os.read(reading, 1)[0]) not in SIGNALS:
        pass
    return signum
