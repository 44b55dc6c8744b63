"""Kills a training again and again, and compares its end with that of a run that was never stopped.

    python experiments/soak/run.py [--processes=2] [--kills=20] [--seed=0]

It starts `gan-jax train` as a job of its own, sends SIGKILL or SIGTERM to one of its processes at a moment
that the seed chooses (while it starts, between two checkpoints, or while one is being written), waits for
the end, and gives the same command again. It ends with exit code 0 if every array of the last checkpoint,
every loss, every row of metrics.jsonl but its times, and every picture has the bits of the run in one piece.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import jax
import numpy as np

from gan_jax.summaries.logs import read_losses, read_metrics
from gan_jax.training.restore import restored_run

HERE = Path(__file__).parent
PATIENCE = 600.0  # seconds that a start may take; the machine may be loaded
MOMENTS = ("start", "between", "save")
SIGNALS = (signal.SIGKILL, signal.SIGTERM)


@dataclass
class Soak:
    """One run that is killed, and what became of each start."""

    workdir: Path
    data_dir: Path
    processes: int
    chance: random.Random
    lines: list[str] = field(default_factory=list)

    def life(self, number: int, moment: str, signum: signal.Signals) -> None:
        """A start that does not live to its end."""
        begun, began = last_step(self.workdir), time.monotonic()
        victim = self.chance.randrange(self.processes)
        job = start(self.workdir, self.data_dir, self.processes)
        try:
            self.wait(job, moment, begun)
            job[victim].send_signal(signum)
            deadline = time.monotonic() + PATIENCE
            sent = time.monotonic()
            codes = [process.wait(max(deadline - time.monotonic(), 1)) for process in job]
        finally:
            end(job)
        seconds = time.monotonic() - sent
        self.lines.append(
            f"{number:2d} {moment:8s} {signum.name} to process {victim}: step {begun} -> "
            f"{last_step(self.workdir)}, exit codes {codes}, over after {seconds:.1f} s "
            f"({time.monotonic() - began:.0f} s in all)"
        )
        say(self.lines[-1])
        # Without its coordinator, in process 0, JAX aborts.
        expected = {-signum, *((128 + signum,) if signum == signal.SIGTERM else (1, -signal.SIGABRT))}
        if moment == "start":  # a process that never came, or did not have its handlers yet
            expected |= {1, -signal.SIGABRT}
        if not set(codes) <= expected:
            raise SystemExit(f"exit codes {codes}, expected {sorted(expected)}")

    def wait(self, job: list[subprocess.Popen[bytes]], moment: str, begun: int) -> None:
        """Returns at the moment at which to kill."""
        if moment == "start":  # imports, the meeting of the processes, restoring, compiling
            until = time.monotonic() + self.chance.uniform(0.0, 12.0)
            while time.monotonic() < until:
                check_alive(job, until + 1)
                time.sleep(0.01)
            return
        goal = begun + 25 * self.chance.randint(1, 8)
        deadline = time.monotonic() + PATIENCE
        while last_step(self.workdir) < goal:
            check_alive(job, deadline)
            time.sleep(0.002)
        if moment == "save":
            half_written = self.workdir / "checkpoints"
            while not any(half_written.glob("*orbax-checkpoint-tmp*")):
                check_alive(job, deadline)
            time.sleep(self.chance.uniform(0.0, 0.05))


def check_alive(job: list[subprocess.Popen[bytes]], deadline: float) -> None:
    """Ends the test where the run has ended by itself: there is nothing left to kill."""
    if any(process.poll() is not None for process in job) or time.monotonic() > deadline:
        raise SystemExit(f"the job ended before it was killed: {[process.poll() for process in job]}")


def start(workdir: Path, data_dir: Path, processes: int, devices: int = 1) -> list[subprocess.Popen[bytes]]:
    """The job: always the same command."""
    command = [sys.executable, "-m", "gan_jax.main", "train", "--config", str(HERE / "config.py")]
    command += ["--workdir", str(workdir), f"--config.data.dir={data_dir}"]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
    if devices > 1:
        environment["JAX_NUM_CPU_DEVICES"] = str(devices)
    if processes == 1:
        return [subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)]
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command += [
        f"--coordinator=127.0.0.1:{port}",
        f"--num_processes={processes}",
        "--lost_seconds=20",
        "--connect_seconds=60",
    ]
    return [
        subprocess.Popen([*command, f"--process_id={number}"], env=environment, stderr=subprocess.DEVNULL)
        for number in range(processes)
    ]


def end(job: list[subprocess.Popen[bytes]]) -> None:
    """Leaves nothing of a job."""
    for process in job:
        if process.poll() is None:
            process.kill()
        process.wait()


def finish(job: list[subprocess.Popen[bytes]]) -> None:
    """Waits for a job that is left alone."""
    try:
        codes = [process.wait(PATIENCE) for process in job]
    finally:
        end(job)
    if any(codes):
        raise SystemExit(f"exit codes {codes} of a run that nobody stopped")


def last_step(workdir: Path) -> int:
    """The newest row."""
    rows = read_metrics(workdir)
    return int(rows[-1]["step"]) if rows else 0


def differences(one: Path, other: Path) -> list[str]:
    """What is not bitwise equal in two runs' folders."""
    found = []
    states = [restored_run(folder)[2] for folder in (one, other)]
    pairs = zip(*(jax.tree_util.tree_leaves_with_path(state) for state in states), strict=True)
    for (path, a), (_, b) in pairs:
        if jax.dtypes.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        if np.asarray(a).tobytes() != np.asarray(b).tobytes():
            found.append(f"state{jax.tree_util.keystr(path)}")
    times = ("time", "steps_per_second")
    rows = [
        [{k: v for k, v in row.items() if k not in times} for row in read_metrics(folder)]
        for folder in (one, other)
    ]
    if rows[0] != rows[1]:
        found.append("metrics.jsonl")
    losses = [read_losses(folder) for folder in (one, other)]
    if losses[0] is None or losses[1] is None or losses[0].tobytes() != losses[1].tobytes():
        found.append("losses.npy")
    for path in sorted((*one.glob("samples/*"), one / "reals.png", one / "curves.png")):
        if path.read_bytes() != (other / path.relative_to(one)).read_bytes():
            found.append(path.name)
    return found


def say(text: str) -> None:
    """A line, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="how often the run is stopped")
    parser.add_argument("--processes", type=int, default=1, help="that train together")
    parser.add_argument("--seed", type=int, default=0, help="of the moments, signals and victims")
    parser.add_argument(
        "--out", type=Path, default=HERE / "work", help="a folder for the two runs; new or empty"
    )
    args = parser.parse_args()
    if args.out.exists() and any(args.out.iterdir()):
        raise SystemExit(f"{args.out} is not empty")
    began = time.monotonic()
    # One process with as many devices computes the same bits as two processes (not more: then the order of
    # a sum over the devices differs), so the run in one piece needs no coordinator.
    straight = args.out / "straight"
    finish(
        start(straight, args.out / "data", 1, args.processes)
        if args.processes <= 2
        else start(straight, args.out / "data", args.processes)
    )
    say(f"the run in one piece: {last_step(straight)} steps, {time.monotonic() - began:.0f} s")
    soak = Soak(args.out / "killed", args.out / "data", args.processes, random.Random(args.seed))
    plan = [(moment, signum) for moment in MOMENTS for signum in SIGNALS] * (args.kills // 6 + 1)
    soak.chance.shuffle(plan)
    for number, (moment, signum) in enumerate(plan[: args.kills], start=1):
        soak.life(number, moment, signum)
    finish(start(soak.workdir, soak.data_dir, args.processes))
    different = differences(straight, soak.workdir)
    took = time.monotonic() - began
    say(f"{args.kills} kills, {took:.0f} s in all; different: {', '.join(different) or 'nothing'}")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
