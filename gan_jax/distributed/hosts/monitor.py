"""A thread that ends this process, with one line, when another one has failed, is lost or hangs.

JAX's heartbeats would end it too, but with a stack trace, and do not know why. The processes write to the
key-value store of JAX's coordinator, in process 0: gan_jax/alive/I holds two numbers, one that grows while
process I lives and one that grows while its loop goes on; gan_jax/end says that the job is over, and why.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import threading
import time
import traceback
from typing import Any

import jax

from gan_jax.utils import interrupt
from gan_jax.utils.errors import UserError
from gan_jax.utils.interrupt import Interrupted

_CONTINUE = "Start all processes again with the same command to continue from the last checkpoint"
_END, _ALIVE = "gan_jax/end", "gan_jax/alive/"
_BEAT_SECONDS = 1.0
_LINGER_SECONDS = 5.0  # process 0 has the store: it ends after the others have read why


def coordinator_store() -> Any:
    """The key-value store of JAX's coordinator.

    JAX has no public name for it; Orbax finds it here too. Nothing else reaches a process that waits for
    its devices.
    """
    from jax._src import distributed

    return distributed.global_state.client


class Monitor:
    """See the module.

    Args:
        store: of the coordinator.
        index, count: this process's number and how many there are.
        lost_seconds: a process without a sign of life for so long is lost: killed, frozen, or cut off.
        stalled_seconds: a process that lives, but is behind the others and has not gone on for so long,
            hangs.

    Attributes:
        progress: to be increased whenever the loop goes on.
    """

    def __init__(
        self, store: Any, index: int, count: int, *, lost_seconds: float, stalled_seconds: float
    ) -> None:
        self.progress = 0
        self._store = store
        self._index, self._count = index, count
        self._lost_seconds, self._stalled_seconds = lost_seconds, stalled_seconds
        now = time.monotonic()
        self._seen = [(0, now, 0, now)] * count  # of each process: beat, since when, progress, since when
        self._closing = threading.Event()
        self._ending = threading.RLock()  # kept by the thread that ends this process

    def start(self) -> None:
        """Begins."""
        threading.Thread(target=self._run, name="monitor", daemon=True).start()

    def close(self) -> None:
        """No process is missed from here on."""
        self._closing.set()

    def fail(self, error: BaseException) -> None:
        """Ends all processes for what this one alone raises; does not return.

        A connection that broke is the fault of whoever is lost: that one is found and named first.
        """
        if isinstance(error, jax.errors.JaxRuntimeError) or "Gloo" in str(error):
            time.sleep(self._lost_seconds + 2 * _BEAT_SECONDS)
        self._ending.acquire()
        text, code = "; ".join(str(error).splitlines()), 1
        if isinstance(error, Interrupted):
            code = 128 + error.signum
        elif not isinstance(error, UserError):
            traceback.print_exception(error)
            text = f"{type(error).__name__}: {text[:300]}"
        with contextlib.suppress(jax.errors.JaxRuntimeError):  # another process was first
            self._store.key_value_set(_END, json.dumps([self._index, code, text]))
        self._end(text, code)

    def verdict(self, said: dict[str, str], now: float) -> str:
        """Why the job is over, from what the store says at a time in seconds; "" if it is not."""
        for i, (beat, heard, progress, moved) in enumerate(self._seen):
            newest = json.loads(said.get(f"{_ALIVE}{i}", "[0, 0]"))
            heard, moved = heard if newest[0] == beat else now, moved if newest[1] == progress else now
            self._seen[i] = (newest[0], heard, newest[1], moved)
        lost, hung, most = self._lost_seconds, self._stalled_seconds, max(seen[2] for seen in self._seen)
        if silent := [i for i, seen in enumerate(self._seen) if now - seen[1] > lost]:
            return f"{self._named(silent)} stopped answering (for {lost:.0f} s). {_CONTINUE}"
        if still := [i for i, seen in enumerate(self._seen) if seen[2] < most and now - seen[3] > hung]:
            told = f"hangs: alive, but behind the others and without progress for {hung:.0f} s"
            return f"{self._named(still)} {told}. {_CONTINUE}"
        return ""

    def _run(self) -> None:
        late = self._end_later()
        for beat in itertools.count(1):
            if self._closing.wait(_BEAT_SECONDS):
                break
            alive = json.dumps([beat, self.progress])
            try:
                self._store.key_value_set(f"{_ALIVE}{self._index}", alive, allow_overwrite=True)
                said = dict(self._store.key_value_dir_get("gan_jax/"))
            except jax.errors.JaxRuntimeError:
                continue  # no answer: once more, until it is too late
            late.cancel()
            late = self._end_later()
            if _END in said:
                by, code, text = json.loads(said[_END])
                self._end(f"{self._named([by])} ended: {text}", code)
            elif text := self.verdict(said, time.monotonic()):
                self._end(text, 1)
        late.cancel()

    def _end_later(self) -> threading.Timer:
        """Ends this process once process 0 has not answered for too long, unless it is cancelled."""
        silent = f"(the coordinator) has not answered for {self._lost_seconds:.0f} s. {_CONTINUE}"
        timer = threading.Timer(self._lost_seconds, self._end, (f"{self._named([0])} {silent}", 1))
        timer.daemon = True
        timer.start()
        return timer

    def _end(self, text: str, code: int) -> None:
        """Ends this process with a last line, whatever its other threads are doing."""
        self._ending.acquire()
        interrupt.ending.set()
        interrupt.say(text)
        if self._index == 0:
            time.sleep(_LINGER_SECONDS)
        os._exit(code)

    def _named(self, processes: list[int]) -> str:
        return f"process {', '.join(map(str, processes))} of {self._count}"
