"""Processes that were started by hand meet before JAX starts: who is missing, or there twice, is named.

JAX's own start would abort each of them with a stack trace that names nobody. Process 0 listens where JAX's
coordinator will; the others say "gan-jax ID COUNT" and are answered once all are there or time is up.

Whoever reaches the port may call: all are listened to at once, for bounded time and bytes, and what is no
greeting is passed over. Nobody proves who he is: as JAX's own service, this belongs on a network of its own.
"""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import time

from gan_jax.utils.errors import UserError

_WELL = "all are there"
_GREETING = re.compile(rb"gan-jax ([0-9]{1,9}) ([0-9]{1,9})\n")
_GREETING_BYTES = 64
_GREETING_SECONDS = 10.0
_STRANGERS = 100  # who have not greeted yet, at a time
_ANSWER = b"gan-jax: "  # begins an answer, which ends with the line
_ANSWER_BYTES = 4096
_GRACE_SECONDS = 5.0  # process 0, whose time is up too, has the better words


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
        answer = _report(coordinator, f"gan-jax {process_id} {num_processes}\n", seconds)
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
    deadline = time.monotonic() + seconds
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        server = socket.create_server((host if bind_address(coordinator) else "", port), family=family)
    except OSError as error:
        raise UserError(f"process 0 cannot listen at --coordinator={coordinator}: {error}") from None
    with server, contextlib.closing(_RollCall(server, count)) as roll:
        while roll.missing and not roll.problem and (left := deadline - time.monotonic()) > 0:
            roll.listen(min(left, 1.0))
        absent = ", ".join(map(str, roll.missing))
        others = f" (calls of others there: {roll.strangers})" if roll.strangers else ""
        answer = roll.problem or (
            f"after {seconds:.0f} s process {absent} of {count} had not come to {coordinator}{others}: "
            "check that each of them was started, and with this --coordinator"
            if absent
            else _WELL
        )
        roll.answer(answer)
    return answer


class _RollCall:
    """What process 0 knows of those who call; none of them can stop it or make it wait.

    Attributes:
        problem: what does not fit together, in words.
        strangers: how many others called.
    """

    def __init__(self, server: socket.socket, count: int) -> None:
        self.problem = ""
        self.strangers = 0
        self._server = server
        self._count = count
        self._there: dict[int, socket.socket] = {}
        self._surplus: list[socket.socket] = []  # who greeted, and is not one of ours
        self._said: dict[socket.socket, tuple[float, bytes]] = {}  # who has not greeted yet: since when, what
        server.setblocking(False)
        self._watched = selectors.DefaultSelector()
        self._watched.register(server, selectors.EVENT_READ)

    @property
    def missing(self) -> list[int]:
        """The processes that are not there."""
        return [index for index in range(1, self._count) if index not in self._there]

    def listen(self, seconds: float) -> None:
        """Hears who says something within so many seconds."""
        for key, _ in self._watched.select(seconds):
            if key.fileobj is self._server:
                with contextlib.suppress(OSError):
                    caller, _ = self._server.accept()
                    caller.setblocking(False)
                    self._said[caller] = (time.monotonic(), b"")
                    self._watched.register(caller, selectors.EVENT_READ)
            elif isinstance(key.fileobj, socket.socket):
                self._hear(key.fileobj)
        now, silent = time.monotonic(), list(self._said)
        for number, caller in enumerate(silent):  # the oldest first
            if now - self._said[caller][0] > _GREETING_SECONDS or len(silent) - number > _STRANGERS:
                self._dismiss(caller)

    def answer(self, text: str) -> None:
        """Tells all who are there."""
        for caller in (*self._there.values(), *self._surplus):
            with contextlib.suppress(OSError):  # it is gone
                caller.send(_ANSWER + text.encode()[: _ANSWER_BYTES // 2] + b"\n")

    def close(self) -> None:
        """Hangs up."""
        for caller in (*self._said, *self._there.values(), *self._surplus):
            caller.close()
        self._watched.close()

    def _hear(self, caller: socket.socket) -> None:
        try:
            more = caller.recv(_GREETING_BYTES)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        if caller not in self._said:  # it has greeted; if it is gone now, it may come again
            if not more:
                self._there = {index: other for index, other in self._there.items() if other is not caller}
                self._hang_up(caller)
            return
        since, said = self._said[caller]
        said += more
        self._said[caller] = (since, said)
        if b"\n" in said:
            self._greeted(caller, said)
        elif not more or len(said) >= _GREETING_BYTES:
            self._dismiss(caller)

    def _greeted(self, caller: socket.socket, said: bytes) -> None:
        """Takes in a whole line."""
        found = _GREETING.fullmatch(said)
        index, count = map(int, found.groups()) if found else (0, 0)
        if not 0 < index < count:
            self._dismiss(caller)
            return
        del self._said[caller]
        if count == self._count and index not in self._there:
            self._there[index] = caller
            return
        self._surplus.append(caller)
        other = f"process {index} num_processes={count}"
        self.problem = (
            f"process 0 was told num_processes={self._count} and {other}: give all the same"
            if count != self._count
            else f"two processes have process_id={index}: give each its own, 0 to {count - 1}"
        )

    def _dismiss(self, stranger: socket.socket) -> None:
        self.strangers += 1
        del self._said[stranger]
        self._hang_up(stranger)

    def _hang_up(self, caller: socket.socket) -> None:
        self._watched.unregister(caller)
        caller.close()


def _report(coordinator: str, line: str, seconds: float) -> str:
    """Any other process: tells process 0 that it is there and returns its answer."""
    deadline, reason = time.monotonic() + seconds, ""
    while (left := deadline - time.monotonic()) > 0:
        try:
            with socket.create_connection(split_address(coordinator), timeout=left) as server:
                server.sendall(line.encode())
                said = _line(server, deadline + _GRACE_SECONDS)
            if said.startswith(_ANSWER):
                text = said.removeprefix(_ANSWER).decode(errors="replace").strip()
                return "".join(letter for letter in text if letter.isprintable())
            reason = f"something else answers there: {said[:40]!r}" if said else "it hung up"
        except OSError as error:
            reason = str(error)
        time.sleep(0.2)
    return (
        f"process 0 did not answer at --coordinator={coordinator} within {seconds:.0f} s ({reason}): check "
        "that it was started there, that the name and the port are right, and that no firewall is between"
    )


def _line(server: socket.socket, deadline: float) -> bytes:
    """What a connection says until the end of a line, or of the connection; bounded in bytes and time."""
    said = b""
    while b"\n" not in said and len(said) < _ANSWER_BYTES:
        server.settimeout(max(deadline - time.monotonic(), 0.01))
        more = server.recv(_ANSWER_BYTES)
        if not more:
            break
        said += more
    return said
