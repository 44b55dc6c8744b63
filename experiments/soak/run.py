"""Kills a training again and again, and compares its end with that of one that was never stopped.

    python experiments/soak/run.py [--what=study] [--processes=2] [--kills=20] [--seed=0] [--moments=best]

It starts `gan-jax train` (or `gan-jax study`) as a job of its own, sends SIGKILL or SIGTERM to one of its
processes at a moment that the seed chooses (while it starts, between two checkpoints, or while one, or the
best, is written), waits for the end, and gives the same command again. After each kill the best checkpoint
must be the one that best.json names. It ends with exit code 0 if every array of the last and of the best
checkpoint, every loss, every row of metrics.jsonl but its times, and every picture has the bits of the run in
one piece; for a study every row of results.jsonl and every picture.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gan_jax.summaries.logs import read_losses, read_metrics, read_rows
from gan_jax.training import manifest
from gan_jax.training.best import BEST, NOTE, best_note
from gan_jax.training.restore import NEWEST, restored_run

HERE = Path(__file__).parent
PATIENCE = 600.0  # seconds that a start may take; the machine may be loaded
MOMENTS = ("start", "between", "save", "best")
PATIENT_STEPS = 500  # a best checkpoint may not come any more
SIGNALS = (signal.SIGKILL, signal.SIGTERM)
Job = list[subprocess.Popen[bytes]]


@dataclass
class Run:
    """A run of config.py in a folder."""

    folder: Path
    data_dir: Path
    processes: int = 1
    stride: int = 25  # steps, a few of which pass before it is killed

    def start(self, devices: int = 1) -> Job:
        """Always the same command."""
        command = ["train", "--config", str(HERE / "config.py"), "--workdir", str(self.folder)]
        command += [f"--config.data.dir={self.data_dir}"]
        if self.processes == 1:
            return [launch(command, devices)]
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        command += [
            f"--coordinator=127.0.0.1:{port}",
            f"--num_processes={self.processes}",
            "--lost_seconds=20",
            "--connect_seconds=60",
        ]
        return [launch([*command, f"--process_id={number}"]) for number in range(self.processes)]

    def step(self) -> int:
        """How far it has come: the newest row."""
        rows = read_metrics(self.folder)
        return int(rows[-1]["step"]) if rows else 0

    def is_saving(self, folder: str = NEWEST) -> bool:
        """Whether a half-written checkpoint lies there."""
        return any((self.folder / folder).glob("*orbax-checkpoint-tmp*"))

    def check(self, straight: Run) -> str:
        """What is wrong now with the best checkpoint, which best.json names; "" if nothing is."""
        if not (self.folder / NOTE).exists():
            return ""
        note = best_note(self.folder)
        if problem := manifest.verify(self.folder / BEST / str(note["step"]), note["step"]):
            return f"best.json names step {note['step']}: {problem}"
        values = {
            row["step"]: row["evaluation"]["scores"][note["score"]]["value"]
            for row in read_metrics(straight.folder)
            if "evaluation" in row
        }
        least = min(value for step, value in values.items() if step <= note["step"])
        if note["value"] != values[note["step"]] or note["value"] != least:
            return f"best.json is {note}, and the best until there was {least}"
        return ""

    def differences(self, other: Run) -> list[str]:
        """What is not bitwise equal in two runs' folders."""
        found = []
        for name in (NEWEST, BEST):
            states = [restored_run(run.folder, name)[2] for run in (self, other)]
            pairs = zip(*(jax.tree_util.tree_leaves_with_path(state) for state in states), strict=True)
            for (path, a), (_, b) in pairs:
                if jax.dtypes.issubdtype(a.dtype, jax.dtypes.prng_key):
                    a, b = jax.random.key_data(a), jax.random.key_data(b)
                if np.asarray(a).tobytes() != np.asarray(b).tobytes():
                    found.append(f"{name}{jax.tree_util.keystr(path)}")
        rows = [[untimed(row) for row in read_metrics(run.folder)] for run in (self, other)]
        if rows[0] != rows[1]:
            found.append("metrics.jsonl")
        losses = [read_losses(run.folder) for run in (self, other)]
        if losses[0] is None or losses[1] is None or losses[0].tobytes() != losses[1].tobytes():
            found.append("losses.npy")
        return found + different_files(self.folder, other.folder, ("samples/*", "*.png", NOTE))


@dataclass
class Study:
    """The study of study.py, with its results in a folder."""

    folder: Path
    stride: int = 100

    def start(self, devices: int = 1) -> Job:
        """Always the same command."""
        return [launch(["study", str(HERE), "--out", str(self.folder)], devices)]

    def step(self) -> int:
        """How far it has come, in steps of one program."""
        groups = [read_rows(path) for path in self.folder.glob("work/*/history.jsonl")]
        done = sum(row["steps"] for row in read_rows(self.folder / "results.jsonl", "seed"))
        return done + max((int(rows[-1]["step"]) for rows in groups if rows), default=0)

    def is_saving(self) -> bool:
        """Whether a half-written checkpoint lies there."""
        return any(self.folder.glob("work/*/checkpoints/*orbax-checkpoint-tmp*"))

    def check(self, straight: Study) -> str:
        """What is wrong now; "" if nothing is."""
        return ""

    def differences(self, other: Study) -> list[str]:
        """What is not equal in two folders of results."""
        rows = [
            [untimed(row) for row in read_rows(study.folder / "results.jsonl", "seed")]
            for study in (self, other)
        ]
        found = [] if rows[0] == rows[1] else ["results.jsonl"]
        return found + different_files(self.folder, other.folder, ("pictures/*", "*.png"))


@dataclass
class Soak:
    """What is killed, and what became of each start."""

    what: Any  # a Run or a Study
    straight: Any
    chance: random.Random
    survived: Counter[tuple[str, str]] = field(default_factory=Counter)

    def life(self, number: int, moment: str, signum: signal.Signals) -> None:
        """A start that does not live to its end."""
        begun, began = self.what.step(), time.monotonic()
        job = self.what.start()
        victim = self.chance.randrange(len(job))
        try:
            self.wait(job, moment, begun)
            job[victim].send_signal(signum)
            deadline = time.monotonic() + PATIENCE
            sent = time.monotonic()
            codes = [process.wait(max(deadline - time.monotonic(), 1)) for process in job]
        finally:
            end(job)
        seconds = time.monotonic() - sent
        say(
            f"{number:2d} {moment:8s} {signum.name} to process {victim}: step {begun} -> "
            f"{self.what.step()}, exit codes {codes}, over after {seconds:.1f} s "
            f"({time.monotonic() - began:.0f} s in all)"
        )
        # Without its coordinator, in process 0, JAX aborts.
        expected = {-signum, *((128 + signum,) if signum == signal.SIGTERM else (1, -signal.SIGABRT))}
        if moment == "start":  # a process that never came, or did not have its handlers yet
            expected |= {1, -signal.SIGABRT}
        if not set(codes) <= expected:
            raise SystemExit(f"exit codes {codes}, expected {sorted(expected)}")
        if wrong := self.what.check(self.straight):
            raise SystemExit(wrong)
        self.survived[moment, signum.name] += 1

    def wait(self, job: Job, moment: str, begun: int) -> None:
        """Returns at the moment at which to kill."""
        if moment == "start":  # imports, the meeting of the processes, restoring, compiling
            until = time.monotonic() + self.chance.uniform(0.0, 12.0)
            while time.monotonic() < until:
                check_alive(job, until + 1)
                time.sleep(0.01)
            return
        goal = begun + self.what.stride * self.chance.randint(1, 8)
        deadline = time.monotonic() + PATIENCE
        while self.what.step() < goal:
            check_alive(job, deadline)
            time.sleep(0.002)
        if moment == "save":
            while not self.what.is_saving():
                check_alive(job, deadline)
            time.sleep(self.chance.uniform(0.0, 0.05))
        if moment == "best":
            while not self.what.is_saving(BEST) and self.what.step() < goal + PATIENT_STEPS:
                check_alive(job, deadline)
            time.sleep(self.chance.uniform(0.0, 0.15))


def launch(arguments: list[str], devices: int = 1) -> subprocess.Popen[bytes]:
    """`gan-jax ARGUMENTS` on so many devices of the CPU."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
    if devices > 1:
        environment["JAX_NUM_CPU_DEVICES"] = str(devices)
    command = [sys.executable, "-m", "gan_jax.main", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def check_alive(job: Job, deadline: float) -> None:
    """Ends the test where the run has ended by itself: there is nothing left to kill."""
    if any(process.poll() is not None for process in job) or time.monotonic() > deadline:
        raise SystemExit(f"the job ended before it was killed: {[process.poll() for process in job]}")


def end(job: Job) -> None:
    """Leaves nothing of a job."""
    for process in job:
        if process.poll() is None:
            process.kill()
        process.wait()


def finish(job: Job) -> None:
    """Waits for a job that is left alone."""
    try:
        codes = [process.wait(2 * PATIENCE) for process in job]
    finally:
        end(job)
    if any(codes):
        raise SystemExit(f"exit codes {codes} of a run that nobody stopped")


def untimed(value: Any) -> Any:
    """A row without what the clock and the machine say, and without its folder's name."""
    if not isinstance(value, dict):
        return value
    left_out = ("time", "steps_per_second", "seconds", "environment", "fake")
    return {name: untimed(part) for name, part in value.items() if name not in left_out}


def different_files(one: Path, other: Path, patterns: tuple[str, ...]) -> list[str]:
    """The files of these names that are not there in both folders with the same bytes."""
    names = {path.relative_to(folder) for folder in (one, other) for x in patterns for path in folder.glob(x)}
    contents = {
        name: [(folder / name).read_bytes() if (folder / name).exists() else None for folder in (one, other)]
        for name in names
    }
    return sorted(str(name) for name, (a, b) in contents.items() if a != b)


def say(text: str) -> None:
    """A line, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--what", choices=("run", "study"), default="run", help="what is trained")
    parser.add_argument("--kills", type=int, default=20, help="how often it is stopped")
    parser.add_argument("--processes", type=int, default=1, help="that train a run together")
    parser.add_argument("--moments", default=",".join(MOMENTS[:3]), help=f"of {','.join(MOMENTS)}")
    parser.add_argument("--seed", type=int, default=0, help="of the moments, signals and victims")
    parser.add_argument("--out", type=Path, default=HERE / "work", help="a folder for both; new or empty")
    args = parser.parse_args()
    if args.out.exists() and any(args.out.iterdir()):
        raise SystemExit(f"{args.out} is not empty")
    began = time.monotonic()
    straight: Any
    killed: Any
    if args.what == "study":
        straight, killed = Study(args.out / "straight"), Study(args.out / "killed")
        finish(straight.start())
    else:
        # One process with as many devices computes the same bits as two processes (not more: then the order
        # of a sum over the devices differs), so the run in one piece needs no coordinator.
        data_dir, alone = args.out / "data", args.processes <= 2
        straight = Run(args.out / "straight", data_dir, 1 if alone else args.processes)
        killed = Run(args.out / "killed", data_dir, args.processes)
        finish(straight.start(args.processes if alone else 1))
    say(f"in one piece: {straight.step()} steps, {time.monotonic() - began:.0f} s")
    soak = Soak(killed, straight, random.Random(args.seed))
    kinds = [(moment, signum) for moment in args.moments.split(",") for signum in SIGNALS]
    plan = kinds * (args.kills // len(kinds) + 1)
    soak.chance.shuffle(plan)
    for number, (moment, signum) in enumerate(plan[: args.kills], start=1):
        soak.life(number, moment, signum)
    finish(killed.start())
    different = straight.differences(killed)
    took = time.monotonic() - began
    say(json.dumps({" ".join(kind): count for kind, count in sorted(soak.survived.items())}))
    say(f"{args.kills} kills, {took:.0f} s in all; different: {', '.join(different) or 'nothing'}")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
