"""A thread that tells the other processes that this one lives, and hears what became of them.

Everything goes through the coordinator's key-value store, which lives in process 0:

    gan_jax/pulse/I         a number that grows as long as process I lives, and how far its loop is
    gan_jax/said/suspect    some process saw a connection break: whoever is silent now is lost
    gan_jax/said/end        the job is over: {"by": I, "code": exit code, "text": why}
    gan_jax/said/heard/I    process I has read that
    gan_jax/said/stop/I     process I was asked to stop: the signal
    gan_jax/said/at/I       how many calls process I had begun when it heard of that

Process 0 judges who is lost, because it alone reads all pulses; the others judge process 0. Where the job is
over, a process ends at once with one line: it may be deep in a collective that nobody will ever complete.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from typing import Protocol

from gan_jax.distributed.hosts.failure_detector import CONTINUE, SUSPECT_SECONDS, Judge, Patience
from gan_jax.utils.errors import UserError
from gan_jax.utils.interrupt import Interrupted, StopRequest

SAID = "gan_jax/said/"
PULSES = "gan_jax/pulse/"
_GRACE_SECONDS = 10.0  # for a process that ends by itself to do so


class Client(Protocol):
    """What is used of JAX's client of the coordinator."""

    def key_value_set(self, key: str, value: str, allow_overwrite: bool = False) -> None: ...
    def key_value_dir_get(self, key: str) -> list[tuple[str, str]]: ...
    def blocking_key_value_get(self, key: str, timeout_in_ms: int) -> str: ...
    def wait_at_barrier(self, barrier_id: str, timeout_in_ms: int) -> None: ...


class Pulse:
    """One process's signs of life; see the module.

    Args:
        client: JAX's client of the coordinator.
        index, count: this process's number and how many there are.
        coordinator: its address, for messages.
        patience: when the job is given up.
    """

    def __init__(self, client: Client, index: int, count: int, coordinator: str, patience: Patience) -> None:
        self._client = client
        self._index = index
        self._count = count
        self._coordinator = coordinator
        self._patience = patience
        self._judge = Judge(count, patience)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._stop: StopRequest | None = None
        self._progress = 0  # calls begun and things waited for
        self._calls = 0  # calls begun
        self._asked = False  # some process was asked to stop
        self._stop_agreed = threading.Event()
        self._stop_after, self._signum = -1, 0
        self._said: set[str] = set()  # what this process has said
        self._ending: tuple[str, int] | None = None  # this process's last words, if its main thread has none
        self._silence = 0.0  # seconds since the coordinator last answered
        self._threads = [
            threading.Thread(target=self._beat_all, name="pulse", daemon=True),
            threading.Thread(target=self._watch_coordinator, name="coordinator", daemon=True),
        ]

    def start(self) -> None:
        """Begins."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Ends the threads; nobody hears of this process any more."""
        self._closing.set()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=5.0)

    def advance(self) -> None:
        """Counts what the process is about to wait for as progress."""
        self._progress += 1

    def stop_signal(self, stop: StopRequest) -> int | None:
        """See `Hosts.stop_signal`.

        Every process begins the same calls in the same order. When a request is heard of, each process says
        how many it has begun, by a thread that no device holds up, and begins no more until all have said
        so. All then go on to the largest of these numbers.
        """
        with self._lock:
            self._stop = stop
            if not self._asked:
                self._calls += 1
                self._progress += 1
                return None
        self._stop_agreed.wait()  # bounded: a process that does not answer ends the job
        if self._calls >= self._stop_after:
            return self._signum
        self._calls += 1
        self._progress += 1
        return None

    def failed(self, error: BaseException) -> None:
        """Ends the other processes for what this one alone raises; waits until they know.

        A connection that broke is no failure of this process: whoever is lost is found and named first.
        """
        if self._ending is not None:
            return
        text, code = _last_words(error)
        if code is None:
            self._say("suspect", "1")
            time.sleep(
                min(SUSPECT_SECONDS, self._patience.lost) + 4 * self._patience.beat
            )  # to be ended here
            code = 1
        self._ending = text, code
        self._say("end", json.dumps({"by": self._index, "code": code, "text": text}))
        self._let_them_hear(set())
        late = threading.Timer(_GRACE_SECONDS, self._end, (text, code))  # it may wait for what never comes
        late.daemon = True
        late.start()

    def _say(self, key: str, value: str) -> None:
        """Says something once; what another process has said before stays."""
        if key not in self._said:
            self._said.add(key)
            with contextlib.suppress(Exception):  # the coordinator is gone: the other thread sees it
                self._client.key_value_set(SAID + key, value)

    def _beat_all(self) -> None:
        """The thread: says and hears, again and again."""
        beat, before = 0, time.monotonic()
        while not self._closing.wait(self._patience.beat):
            beat += 1
            try:
                self._client.key_value_set(f"{PULSES}{self._index}", f"{beat} {self._progress}", True)
                said = {key.removeprefix(SAID): value for key, value in self._client.key_value_dir_get(SAID)}
                pulses = self._client.key_value_dir_get(PULSES) if self._index == 0 else []
            except Exception:  # whatever it is: the other thread sees that there was no answer
                continue
            self._silence = 0.0
            self._hear(said)
            if self._index == 0 and self._ending is None and "end" not in said:
                now = time.monotonic()
                seconds, before = min(now - before, 1.0 + self._patience.beat), now
                found = {int(key.removeprefix(PULSES)): value for key, value in pulses}
                verdict = self._judge.verdict(found, seconds, "suspect" in said)
                if verdict:
                    self._give_up(verdict)

    def _hear(self, said: dict[str, str]) -> None:
        if "end" in said and self._ending is None:
            end = json.loads(said["end"])
            self._say(f"heard/{self._index}", "1")
            by = f"process {end['by']} of {self._count} ended: " if end["by"] >= 0 else ""
            self._end(f"{by}{end['text']}", end["code"])
        if self._stop is not None and self._stop.signum is not None:
            self._say(f"stop/{self._index}", str(self._stop.signum))
        asked = {key: value for key, value in said.items() if key.startswith("stop/")}
        if asked and not self._stop_agreed.is_set():
            with self._lock:
                self._asked, calls = True, self._calls
            self._say(f"at/{self._index}", str(calls))
            at = [int(value) for key, value in said.items() if key.startswith("at/")]
            if len(at) == self._count:
                self._stop_after, self._signum = max(at), int(asked[min(asked)])
                self._stop_agreed.set()

    def _give_up(self, text: str) -> None:
        """Process 0: ends everybody."""
        self._ending = text, 1
        self._say("end", json.dumps({"by": -1, "code": 1, "text": text}))
        self._let_them_hear(
            {i for i, seen in enumerate(self._judge.seen) if seen.silent > SUSPECT_SECONDS / 2}
        )
        self._end(text, 1)

    def _let_them_hear(self, lost: set[int]) -> None:
        """Process 0 holds the store: it waits a little until the others have read why the job is over."""
        deadline = time.monotonic() + 6 * self._patience.beat + 1.0
        while self._index == 0 and time.monotonic() < deadline:
            with contextlib.suppress(Exception):
                heard = {
                    int(key.rpartition("/")[2]) for key, _ in self._client.key_value_dir_get(f"{SAID}heard/")
                }
                if heard | lost | {0} >= set(range(self._count)):
                    return
            time.sleep(self._patience.beat / 2)

    def _watch_coordinator(self) -> None:
        """The other thread: no call of the first one may be without an answer for too long."""
        before = time.monotonic()
        while not self._closing.wait(self._patience.beat):
            now = time.monotonic()
            self._silence += min(now - before, 1.0 + self._patience.beat)
            before = now
            if self._silence > self._patience.lost and self._ending is None:
                self._end(
                    f"process 0 of {self._count} (the coordinator, {self._coordinator}) has not answered for "
                    f"{self._patience.lost:.0f} s. {CONTINUE}",
                    1,
                )

    def _end(self, text: str, code: int) -> None:
        """Ends this process with a last line, whatever its other threads are doing."""
        if self._closing.is_set():
            return
        bar = "\n" if os.isatty(2) else ""  # a progress bar may be on the line
        os.write(2, f"{bar}gan-jax: {text}\n".encode())
        os._exit(code)


def _last_words(error: BaseException) -> tuple[str, int | None]:
    """A line about an error and the exit code; no code where it may be another process's fault."""
    if isinstance(error, Interrupted):
        return str(error), 128 + error.signum
    if isinstance(error, KeyboardInterrupt):
        return "stopped; what was saved before stays", 130
    text = "; ".join(str(error).splitlines()) or type(error).__name__
    if isinstance(error, UserError):
        return text, 1
    if isinstance(error, OSError):
        return f"{error.filename or 'the system'}: {error.strerror or error}", 1
    return f"{type(error).__name__}: {text[:300]}", None
