"""Processes that were started by hand meet before JAX starts: who is missing, or there twice, is named.

JAX's own start would abort each of them with a stack trace that names nobody. Process 0 listens where JAX's
coordinator will; the others say "ID COUNT" and are answered once all are there or time is up.
"""

from __future__ import annotations

import contextlib
import socket
import time

from gan_jax.utils.errors import UserError

_WELL = "all are there"


def meet(coordinator: str, num_processes: int, process_id: int, seconds: float) -> None:
    """Returns, on every process, once all of them are there; waits for so many seconds.

    Raises:
        UserError: on every process that could be reached: some did not come, or do not fit together; or
            process 0 could not be reached, or cannot listen.
    """
    if not 0 <= process_id < num_processes:
        last = num_processes - 1
        raise UserError(f"--process_id={process_id}: the {num_processes} processes are 0 to {last}")
    if process_id == 0:
        answer = _receive(coordinator, num_processes, seconds)
    else:
        answer = _report(coordinator, f"{process_id} {num_processes}\n", seconds)
    if answer != _WELL:
        raise UserError(answer)


def split_address(address: str) -> tuple[str, int]:
    """("HOST", port) of "HOST:PORT"; an IPv6 address is in brackets. A UserError for anything else."""
    host, _, port = address.rpartition(":")
    plain = host.strip("[]")
    if not plain or (":" in plain and plain == host) or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise UserError(f"--coordinator={address}: it must be HOST:PORT, for example node1:61500")
    return plain, int(port)


def bind_address(coordinator: str) -> str | None:
    """Where process 0 listens: a job on one machine on that one only; None is on every interface."""
    return coordinator if split_address(coordinator)[0] in ("localhost", "127.0.0.1") else None


def _receive(coordinator: str, count: int, seconds: float) -> str:
    """Process 0: waits for the others, answers them, and returns the answer."""
    host, port = split_address(coordinator)
    deadline, answer, missing = time.monotonic() + seconds, "", set(range(1, count))
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        server = socket.create_server((host if bind_address(coordinator) else "", port), family=family)
    except OSError as error:
        raise UserError(f"process 0 cannot listen at --coordinator={coordinator}: {error}") from None
    with server, contextlib.ExitStack() as held:
        callers = []
        while missing and not answer:
            server.settimeout(max(deadline - time.monotonic(), 0.01))
            try:
                caller = held.enter_context(server.accept()[0])
                caller.settimeout(2.0)
                index, its_count = map(int, caller.makefile().readline(100).split())
            except (OSError, ValueError):  # time is up, or something else called
                if time.monotonic() > deadline:
                    absent = ", ".join(map(str, sorted(missing)))
                    answer = (
                        f"after {seconds:.0f} s process {absent} of {count} had not come to {coordinator}: "
                        "check that each of them was started, and with this --coordinator"
                    )
                continue
            callers.append(caller)
            if its_count != count:
                other = f"process {index} num_processes={its_count}"
                answer = f"process 0 was told num_processes={count} and {other}: give all the same"
            elif index not in missing:
                answer = f"two processes have process_id={index}: give each its own, 0 to {count - 1}"
            missing.discard(index)
        answer = answer or _WELL
        for caller in callers:
            with contextlib.suppress(OSError):
                caller.sendall(answer.encode())
    return answer


def _report(coordinator: str, line: str, seconds: float) -> str:
    """Any other process: tells process 0 that it is there and returns its answer."""
    deadline, reason = time.monotonic() + seconds, ""
    while (left := deadline - time.monotonic()) > 0:
        try:
            with socket.create_connection(split_address(coordinator), timeout=left) as server:
                server.sendall(line.encode())
                server.settimeout(left + 5.0)  # process 0, whose time is up too, has the better words
                if answer := server.makefile().read():
                    return answer
        except OSError as error:
            reason = str(error)
        time.sleep(0.2)
    return (
        f"process 0 did not answer at --coordinator={coordinator} within {seconds:.0f} s ({reason}): check "
        "that it was started there, that the name and the port are right, and that no firewall is between"
    )
