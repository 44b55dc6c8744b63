"""All processes of a job meet before JAX starts: who is missing, twice there or of another kind is said.

JAX's own start-up ends the process where something does not fit, with a stack trace. Here every process
tells process 0 who it is, at the address at which the coordinator will listen; process 0 answers all of them
once everybody is there, or time is up. Then it gives the port free for the coordinator.
"""

from __future__ import annotations

import contextlib
import errno
import json
import platform
import socket
import time
from typing import Any

from gan_jax.distributed.hosts.cluster import Place, split_address
from gan_jax.utils.errors import UserError

_GREETING = "gan_jax roll call 1"
_AGAIN_SECONDS = 0.2


def roll_call(place: Place, versions: dict[str, str], seconds: float) -> None:
    """Returns, on every process, once all of them are there and agree.

    Args:
        versions: of the packages that must be the same everywhere.
        seconds: how long to wait for the others.

    Raises:
        UserError: on every process that could be reached: some did not come, or do not fit together; or the
            coordinator could not be reached.
    """
    me = {
        "greeting": _GREETING,
        "id": place.process_id,
        "count": place.num_processes,
        "host": platform.node(),
        "versions": versions,
    }
    deadline = time.monotonic() + seconds
    problem = (
        _receive(place, me, deadline, seconds) if place.process_id == 0 else _report(place, me, deadline)
    )
    if problem:
        raise UserError(problem)


def bind_address(place: Place) -> str:
    """Where process 0 listens: on every interface, but for a job on one machine only on that one's own."""
    host, port = split_address(place.coordinator)
    return f"{host}:{port}" if host in ("127.0.0.1", "localhost") else f"[::]:{port}"


def _receive(place: Place, me: dict[str, Any], deadline: float, seconds: float) -> str:
    """Process 0: collects the others and answers them; "" if all is well."""
    came: dict[int, dict[str, Any]] = {0: me}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(_listen(place))
        callers: list[socket.socket] = []
        problem = ""
        while len(came) < place.num_processes and not problem:
            left = deadline - time.monotonic()
            if left <= 0:
                absent = ", ".join(str(i) for i in range(place.num_processes) if i not in came)
                problem = (
                    f"after {seconds:.0f} s process {absent} of {place.num_processes} had not come to "
                    f"{place.coordinator}: check that each of them was started, and with this --coordinator"
                )
                break
            server.settimeout(left)
            with contextlib.suppress(OSError, ValueError):
                caller = stack.enter_context(server.accept()[0])
                caller.settimeout(max(deadline - time.monotonic(), 0.1))
                other = json.loads(caller.makefile("rb").readline())
                if isinstance(other, dict) and other.get("greeting") == _GREETING:
                    callers.append(caller)
                    problem = _misfit(came, me, other)
                    came[other["id"]] = other
        for caller in callers:
            with contextlib.suppress(OSError):
                caller.sendall(json.dumps({"problem": problem}).encode() + b"\n")
        for caller in callers:  # whoever closes first keeps the port busy: that must be the other side
            with contextlib.suppress(OSError):
                caller.settimeout(2.0)
                caller.recv(1)
    return problem


def _misfit(came: dict[int, dict[str, Any]], me: dict[str, Any], other: dict[str, Any]) -> str:
    """What is wrong with a process that came, in words; "" if nothing."""
    if other["count"] != me["count"]:
        return (
            f"process 0 was told num_processes={me['count']} and process {other['id']} "
            f"(on {other['host']}) num_processes={other['count']}: give all the same"
        )
    if other["id"] in came:
        return (
            f"two processes have process_id={other['id']}, on {came[other['id']]['host']} and "
            f"{other['host']}: give each its own, 0 to {me['count'] - 1}"
        )
    different = [
        f"{name} {version} and {other['versions'].get(name)}"
        for name, version in me["versions"].items()
        if other["versions"].get(name) != version
    ]
    if different:
        return (
            f"process 0 (on {me['host']}) and process {other['id']} (on {other['host']}) have different "
            f"versions: {', '.join(different)}; install the same everywhere"
        )
    return ""


def _listen(place: Place) -> socket.socket:
    host, port = split_address(place.coordinator)
    try:
        if bind_address(place).startswith("["):
            dual = socket.has_dualstack_ipv6()
            family = socket.AF_INET6 if dual else socket.AF_INET
            return socket.create_server(("", port), family=family, dualstack_ipv6=dual, backlog=1024)
        return socket.create_server((host, port), backlog=1024)
    except OSError as error:
        taken = "another program uses it: choose another" if error.errno == errno.EADDRINUSE else str(error)
        raise UserError(
            f"process 0 cannot listen on port {port} of --coordinator={place.coordinator}: {taken}"
        ) from None


def _report(place: Place, me: dict[str, Any], deadline: float) -> str:
    """Any other process: tells process 0 that it is there and returns its answer."""
    began, reason = time.monotonic(), ""
    address = split_address(place.coordinator)
    while (left := deadline - time.monotonic()) > 0:
        try:
            with socket.create_connection(address, timeout=left) as server:
                server.sendall(json.dumps(me).encode() + b"\n")
                server.settimeout(left + 5.0)  # process 0, whose time is up too, has the better words
                answer = json.loads(server.makefile("rb").readline())
                return str(answer["problem"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = str(error) or type(error).__name__
        time.sleep(min(_AGAIN_SECONDS, max(deadline - time.monotonic(), 0)))
    return (
        f"process 0 did not answer at --coordinator={place.coordinator} within "
        f"{time.monotonic() - began:.0f} s (address by {place.found_by}; {reason}). Check that process 0 "
        "runs there, that the name and the port are right, and that no firewall is between"
    )
