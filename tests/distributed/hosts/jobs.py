"""Jobs of several real processes on this machine, over the loopback interface."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.runs import ROOT

PATIENCE = 300.0  # seconds; a loaded machine is slow


def free_port(first: int = 0) -> int:
    """A port that nobody uses now: any, or one near `first`."""
    for port in range(first + os.getpid() % 4000, first + 4096) if first else [0]:
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", port))
            return found.getsockname()[1]
    raise AssertionError("no free port")


class Job:
    """`python -m ARGUMENTS` in several processes, each with more arguments or variables of its own.

    Args:
        outputs: a file for what each process says.
    """

    def __init__(
        self, outputs: list[Path], arguments: list[list[str]], variables: list[dict[str, str]]
    ) -> None:
        self.outputs, self.processes = outputs, []
        for output, own, more in zip(outputs, arguments, variables, strict=True):
            with output.open("w") as file:
                process = subprocess.Popen(
                    [sys.executable, "-m", *own],
                    cwd=ROOT,
                    env={**os.environ, "XLA_FLAGS": "", **more},
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
        return [process.wait(PATIENCE) for process in self.processes]

    def texts(self) -> list[str]:
        """What each process has said so far."""
        return [output.read_text() for output in self.outputs]

    def last_lines(self) -> list[str]:
        """The last line of each."""
        return [text.splitlines()[-1] if text else "" for text in self.texts()]


@contextlib.contextmanager
def job(
    folder: Path, count: int, *arguments: str, variables: list[dict[str, str]] | None = None
) -> Iterator[Job]:
    """A job of processes that are told of each other by flags, or by `variables`; nothing is left of it."""
    folder.mkdir(exist_ok=True)
    flags = [f"--num_processes={count}", f"--coordinator=127.0.0.1:{free_port()}"]
    told = [[] if variables else [*flags, f"--process_id={number}"] for number in range(count)]
    outputs = [folder / f"{number}.txt" for number in range(count)]
    started = Job(outputs, [[*arguments, *own] for own in told], variables or [{}] * count)
    try:
        yield started
    finally:
        for process in started.processes:
            process.kill()
            process.wait()


def slurm(count: int) -> list[dict[str, str]]:
    """What srun tells the tasks of a step on one node."""
    port = free_port(61440)
    common = {
        "SLURM_JOB_ID": str(port - 61440),
        "SLURM_NTASKS": str(count),
        "SLURM_STEP_NUM_TASKS": str(count),
        "SLURM_STEP_NUM_NODES": "1",
        "SLURM_STEP_NODELIST": "127.0.0.1",
    }
    return [{**common, "SLURM_PROCID": str(i), "SLURM_LOCALID": str(i)} for i in range(count)]


def open_mpi(count: int) -> list[dict[str, str]]:
    """What mpirun (Open MPI 4) tells its processes on one machine."""
    number = (free_port(61440) - 61440) * 4096
    common = {
        "OMPI_MCA_orte_hnp_uri": f"{number}.0;tcp://127.0.0.1,10.1.2.3:34911",
        "OMPI_COMM_WORLD_SIZE": str(count),
        "OMPI_COMM_WORLD_LOCAL_SIZE": str(count),
    }
    names = ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK")
    return [common | dict.fromkeys(names, str(i)) for i in range(count)]
