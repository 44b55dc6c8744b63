"""Jobs of several real processes on this machine, over the loopback interface."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.runs import ROOT

TRAIN = ("gan_jax.main", "train")
PATIENCE = 300.0  # seconds; a loaded machine is slow


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Job:
    """`python -m PROGRAM ARGUMENTS` in `count` processes, told of each other by flags or `environments`."""

    def __init__(
        self,
        folder: Path,
        count: int,
        *arguments: str,
        environments: list[dict[str, str]] | None,
        program: tuple[str, ...] = TRAIN,
    ) -> None:
        folder.mkdir(exist_ok=True)
        flags = ["--num_processes", str(count), "--coordinator", f"127.0.0.1:{free_port()}"]
        self.outputs = [folder / f"{number}.txt" for number in range(count)]
        self.processes = []
        for number, output in enumerate(self.outputs):
            told = [] if environments else [*flags, "--process_id", str(number)]
            with output.open("w") as file:
                process = subprocess.Popen(
                    [sys.executable, "-m", *program, *arguments, *told],
                    cwd=ROOT,
                    env={**os.environ, "XLA_FLAGS": "", **(environments[number] if environments else {})},
                    stdout=file,
                    stderr=subprocess.STDOUT,
                )
            self.processes.append(process)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Returns once it holds, while all processes run."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            ended = [process.poll() is not None for process in self.processes]
            if any(ended) or time.monotonic() > deadline:
                pytest.fail(f"ended: {ended}; {self.texts()}")
            time.sleep(0.005)

    def codes(self) -> list[int]:
        """The exit codes, once all have ended."""
        deadline = time.monotonic() + PATIENCE
        return [process.wait(max(deadline - time.monotonic(), 0.1)) for process in self.processes]

    def texts(self) -> list[str]:
        """What each process has said so far."""
        return [output.read_text() for output in self.outputs]

    def last_lines(self) -> list[str]:
        """The last line of each."""
        return [text.splitlines()[-1] if text else "" for text in self.texts()]


@contextlib.contextmanager
def job(
    folder: Path,
    count: int,
    *arguments: str,
    environments: list[dict[str, str]] | None = None,
    program: tuple[str, ...] = TRAIN,
) -> Iterator[Job]:
    """A job, of which nothing is left when the context ends."""
    started = Job(folder, count, *arguments, environments=environments, program=program)
    try:
        yield started
    finally:
        for process in started.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
