"""The start and the end of a job of several processes."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import jax

from gan_jax.distributed.hosts.cluster import Place, split_address
from gan_jax.distributed.hosts.failure_detector import CONTINUE, Patience
from gan_jax.distributed.hosts.group import ALONE, Group, Hosts
from gan_jax.distributed.hosts.heartbeat import Pulse
from gan_jax.distributed.hosts.rendezvous import bind_address, roll_call

CONNECT_SECONDS = 120.0
_PACKAGES = ("gan-jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
_kept: list[Any] = []  # what C calls must not be collected


@contextlib.contextmanager
def connected(
    place: Place | None, *, connect_seconds: float = CONNECT_SECONDS, patience: Patience | None = None
) -> Iterator[Hosts]:
    """The processes of the job, as long as the context lasts; to be entered before anything touches a device.

    Args:
        place: from `find_place`; None is a process that trains alone.
        connect_seconds: how long to wait for the other processes.
        patience: when the job is given up.

    Raises:
        UserError: the processes do not find each other, or do not fit together.
    """
    if place is None:
        yield ALONE
        return
    patience = patience or Patience()
    roll_call(place, {name: metadata.version(name) for name in _PACKAGES}, connect_seconds)
    _say_why_jax_aborts(place)
    client = _start_jax(place, connect_seconds, patience)
    pulse = Pulse(client, place.process_id, place.num_processes, place.coordinator, patience)
    pulse.start()
    hosts = Group(client, pulse, place.process_id, place.num_processes)
    try:
        with hosts.propagate_errors():
            yield hosts
    except BaseException as error:
        if getattr(error, "everywhere", False):
            _leave(hosts, pulse)
        raise
    _leave(hosts, pulse)


def _start_jax(place: Place, connect_seconds: float, patience: Patience) -> Any:
    """Starts `jax.distributed` and returns its client of the coordinator."""
    from jax._src import distributed

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    # It would take SIGTERM for itself; the loop has its own agreement.
    jax.config.update("jax_enable_preemption_service", False)
    jax.distributed.initialize(
        place.coordinator,
        place.num_processes,
        place.process_id,
        local_device_ids=place.local_devices,
        cluster_detection_method="deactivate",
        coordinator_bind_address=bind_address(place),
        initialization_timeout=max(int(connect_seconds), 10),
        # Later than the pulse, which has better words.
        heartbeat_timeout_seconds=max(int(3 * patience.lost), 10),
        shutdown_timeout_seconds=max(int(3 * patience.lost), 10),
    )
    return distributed.global_state.client


def _leave(hosts: Hosts, pulse: Pulse) -> None:
    """All processes are done: none may find another one gone."""
    hosts.barrier()
    pulse.close()
    jax.distributed.shutdown()
    _on_abort(None)


def _say_why_jax_aborts(place: Place) -> None:
    """A last line where JAX aborts the process, as it does at once when the coordinator is gone.

    No Python handler of the signal would be called: what aborts is a thread of C++.
    """
    first = f"process 0 of {place.num_processes} (the coordinator, {place.coordinator})"
    lost = f"\ngan-jax: {first} is gone. {CONTINUE}\n"
    other = f"\ngan-jax: {place.name} was aborted, for the reason above. {CONTINUE}\n"

    def handle(signum: int) -> None:
        os.write(2, (other if place.process_id == 0 or _answers(place.coordinator) else lost).encode())
        os._exit(1)

    function = ctypes.CFUNCTYPE(None, ctypes.c_int)(handle)
    _kept.append(function)
    _on_abort(function)


def _on_abort(function: Any) -> None:
    """Sets the handler of SIGABRT in C; None is the default."""
    libc = ctypes.CDLL(None)
    libc.signal.restype = ctypes.c_void_p
    libc.signal(int(signal.SIGABRT), function)


def _answers(address: str) -> bool:
    try:
        with socket.create_connection(split_address(address), timeout=2.0):
            return True
    except OSError:
        return False
