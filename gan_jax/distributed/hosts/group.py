"""The processes that train one run together, as the loop sees them.

`ALONE` is the one process of an ordinary run: there everything is already agreed, at no cost. With several
processes the coordinator's key-value store carries a few bytes wherever the loop writes something. No
method waits for the devices.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import jax

from gan_jax.distributed.hosts.heartbeat import Client, Pulse
from gan_jax.utils.interrupt import StopRequest

T = TypeVar("T")
_WAIT_MILLISECONDS = 1000  # a wait returns to Python so often, where signals are handled
_FOREVER_MILLISECONDS = 10**9  # the pulse ends what would wait longer


class Hosts:
    """One process that trains alone, and what several have in common.

    Attributes:
        index, count: this process's number and how many there are.
    """

    index: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes."""
        return self.index == 0

    def broadcast_from_first(self, compute: Callable[[], T]) -> T:
        """`compute()`, called by process 0 only; every process gets its value, one that JSON can hold.

        The others wait until it is there. All processes must come here in the same order. Where it raises,
        the other processes end with its message.
        """
        return compute()

    def collect(self, value: T) -> list[T]:
        """The values (of JSON) of all processes in order, on every process; waits for all."""
        return [value]

    def barrier(self) -> None:
        """Waits until all processes are here."""

    def stop_signal(self, stop: StopRequest) -> int | None:
        """The signal after which all processes stop here, before the next call; None to go on.

        Asked once before every call. A signal to any process stops all of them before the same call.
        """
        return stop.signum

    @contextlib.contextmanager
    def propagate_errors(self) -> Iterator[None]:
        """What is raised in here, by this process alone, ends the others too.

        An error with an attribute `everywhere` that is true is one that all of them raise.
        """
        yield


ALONE = Hosts()


class Group(Hosts):
    """One process of several.

    Args:
        client: JAX's client of the coordinator.
        pulse: this process's, running.
    """

    def __init__(self, client: Client, pulse: Pulse, index: int, count: int) -> None:
        self.index = index
        self.count = count
        self._client = client
        self._pulse = pulse
        self._numbers = itertools.count()

    def broadcast_from_first(self, compute: Callable[[], T]) -> T:
        """See Hosts."""
        key = f"gan_jax/agreed/{next(self._numbers)}"
        self._pulse.advance()
        with self.propagate_errors():
            if self.is_first:
                value = compute()
                self._client.key_value_set(key, json.dumps(value))
                return value
            return json.loads(self._get(key))

    def collect(self, value: T) -> list[T]:
        """See Hosts."""
        folder = f"gan_jax/collected/{next(self._numbers)}/"
        self._pulse.advance()
        with self.propagate_errors():
            self._client.key_value_set(f"{folder}{self.index}", json.dumps(value))
            return [json.loads(self._get(f"{folder}{index}")) for index in range(self.count)]

    def barrier(self) -> None:
        """See Hosts."""
        name = f"gan_jax/barrier/{next(self._numbers)}"
        self._pulse.advance()
        with self.propagate_errors():
            self._client.wait_at_barrier(name, _FOREVER_MILLISECONDS)

    def stop_signal(self, stop: StopRequest) -> int | None:
        """See Hosts."""
        return self._pulse.stop_signal(stop)

    @contextlib.contextmanager
    def propagate_errors(self) -> Iterator[None]:
        """See Hosts."""
        try:
            yield
        except BaseException as error:
            if not getattr(error, "everywhere", False):
                self._pulse.failed(error)
            raise

    def _get(self, key: str) -> str:
        while True:
            try:
                return self._client.blocking_key_value_get(key, _WAIT_MILLISECONDS)
            except jax.errors.JaxRuntimeError as error:
                if "DEADLINE_EXCEEDED" not in str(error):
                    raise


def differing(one: Any, other: Any, name: str = "") -> list[str]:
    """Where two trees of JSON values differ: "name: one -> other"."""
    if isinstance(one, dict) and isinstance(other, dict):
        found = []
        for field in sorted(one.keys() | other.keys()):
            found += differing(one.get(field, "absent"), other.get(field, "absent"), f"{name}{field}.")
        return found
    return [] if one == other else [f"{name.rstrip('.')}: {one} -> {other}"]
