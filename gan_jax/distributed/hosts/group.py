"""The processes that train one run together, as the training loop sees them."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Callable, Iterator
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from gan_jax.distributed.hosts.monitor import Monitor
from gan_jax.utils.interrupt import SIGNALS, StopRequest

T = TypeVar("T")


class Hosts:
    """One process that trains alone, or one of several.

    Several exchange values by small device computations, where the loop writes something and waits for the
    devices anyway. All must call these methods in the same order.

    Args:
        monitor: this process's, where there are several; None for one that trains alone.

    Attributes:
        index, count: this process's number and how many there are.
        signals: the requests to stop that Python handles; JAX handles the others.
    """

    def __init__(self, monitor: Monitor | None = None) -> None:
        self.index = jax.process_index() if monitor else 0
        self.count = jax.process_count() if monitor else 1
        self.signals: tuple[signal.Signals, ...] = tuple(
            x for x in SIGNALS if not monitor or x != signal.SIGTERM
        )
        self._monitor = monitor
        self._calls = 0
        self._asked = False

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes."""
        return self.index == 0

    def broadcast_from_first(self, compute: Callable[[], T]) -> T:
        """`compute()`, called by process 0 only; every process gets its value, one that JSON can hold."""
        with self.propagate_errors():
            return self.collect(compute() if self.is_first else None)[0]  # type: ignore[return-value]

    def collect(self, value: T) -> list[T]:
        """The values (of JSON) of all processes in order, on every process; waits for all."""
        if self._monitor is None:
            return [value]
        self._monitor.progress += 1
        with self.propagate_errors():
            text = json.dumps(value).encode()
            longest = int(np.max(multihost_utils.process_allgather(np.int32(len(text)))))
            padded = text.ljust(1 << longest.bit_length())  # powers of two: few programs to compile
            rows = multihost_utils.process_allgather(np.frombuffer(padded, np.uint8))
            return [json.loads(row.tobytes()) for row in rows]

    def barrier(self) -> None:
        """Waits until all processes are here."""
        self.collect(None)

    def stop_signal(self, stop: StopRequest) -> int | None:
        """The signal after which all processes stop here, before the next call; None to go on.

        Asked once before every call; waits for no device. A signal to any process stops all of them before
        the same call.
        """
        if self._monitor is None:
            return stop.signum
        if stop.signum is not None and not self._asked:
            self._asked = True
            signal.raise_signal(signal.SIGTERM)  # to JAX's handler, which tells all processes
        self._monitor.progress += 1
        self._calls += 1  # JAX compares with ==: steps would jump over the point
        if multihost_utils.reached_preemption_sync_point(self._calls):
            return stop.signum or signal.SIGTERM
        return None

    @contextlib.contextmanager
    def propagate_errors(self) -> Iterator[None]:
        """What is raised in here, by this process alone, ends the others too.

        An error with an attribute `everywhere` that is true is one that all of them raise.
        """
        try:
            yield
        except BaseException as error:
            if self._monitor is not None and not getattr(error, "everywhere", False):
                self._monitor.fail(error)
            raise


ALONE = Hosts()
