"""A contender's process, seen from the parent."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 900.0  # seconds without an answer after which a contender counts as hung
# Several frameworks share one GPU, so none may take all of its memory at once.
SHARED_GPU = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
# OpenMP's threads (PyTorch's) sleep at a barrier and do not spin: with anything else on the machine spinning
# costs them several times their speed. What the user has set goes before it.
WAITING = {"OMP_WAIT_POLICY": "passive"}
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONWARNINGS": "ignore"}


class Broken(Exception):
    """A contender crashed or hung; the message is its last word."""


class Process:
    """One worker; `start` returns when it has taken its first step, and then it waits for `ask`."""

    def __init__(self, contender: str, work: str, batch: int, environment: dict[str, str]) -> None:
        self.log = tempfile.TemporaryFile()  # noqa: SIM115  closed in `stop`
        asked = {"contender": contender, "work": work, "batch": batch, "begun": time.monotonic()}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "experiments.speed.worker", json.dumps(asked)],
            cwd=ROOT,
            env={**WAITING, **os.environ, **SHARED_GPU, **QUIET, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            bufsize=0,
        )

    @property
    def pid(self) -> int:
        """The process's."""
        return self.process.pid

    def answer(self) -> dict[str, Any]:
        """The next line that the worker says.

        Raises:
            Broken: there is none.
        """
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            self.stop()
            raise Broken(f"no answer within {PATIENCE:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise Broken(self.last_words())
        return json.loads(line)

    def ask(self, steps: int) -> dict[str, Any]:
        """Runs so many steps and returns what the worker says about them.

        Raises:
            Broken: it crashed or hung.
        """
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(f"{steps}\n".encode())
        except BrokenPipeError as error:
            raise Broken(self.last_words()) from error
        return self.answer()

    def last_words(self) -> str:
        """Of a process that has ended: the last line of its stderr, or how it ended."""
        code = self.process.wait()
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        ended = f"killed by signal {-code}" if code < 0 else f"ended with code {code}"
        return f"{ended}: {lines[-1][:300]}" if lines else ended

    def stop(self) -> None:
        """Ends the process."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.log):
            if pipe is not None:
                pipe.close()
