"""Starts the contenders of one work and lets them train in turn."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from experiments.speed import machine
from experiments.speed.contenders import CONTENDERS, Contender
from experiments.speed.process import QUIET, ROOT, WAITING, Broken, Process
from experiments.speed.works import Work

MOST_STEPS = 2000  # in a round
Say = Callable[[str], None]


@dataclass(frozen=True)
class Rounds:
    """How long to measure.

    Attributes:
        count: rounds.
        seconds: that a round of one contender takes about; at least one step.
        steps: in a round, instead of `seconds`; 0 to go by them.
    """

    count: int = 5
    seconds: float = 2.0
    steps: int = 0


def missing(contender: Contender, work: Work, on_gpu: bool) -> str:
    """Why a contender cannot take part; "" if it can."""
    if contender.works and work.name not in contender.works:
        return f"has no {work.name}"
    if contender.gpu_only and not on_gpu:
        return contender.gpu_only
    absent = [name for name in contender.packages if importlib.util.find_spec(name) is None]
    return f"no {' and no '.join(absent)}: pip install 'gan-jax[speed]'" if absent else ""


def environment(cache: str) -> dict[str, str]:
    """Every cache of compiled programs in `cache`; what the parent was told of one is taken back."""
    return {
        "GAN_JAX_CACHE": f"{cache}/gan_jax",
        "TORCHINDUCTOR_CACHE_DIR": f"{cache}/inductor",
        "TRITON_CACHE_DIR": f"{cache}/triton",
    }


@contextmanager
def own_caches() -> Iterator[str]:
    """A folder for the caches of this measurement, and no other cache; removed afterwards."""
    told = {name: value for name, value in os.environ.items() if name.startswith("JAX_") and "CACHE" in name}
    for name in told:
        del os.environ[name]
    try:
        with tempfile.TemporaryDirectory(prefix="gan_jax_bench_", ignore_cleanup_errors=True) as folder:
            yield folder
    finally:
        os.environ.update(told)


def read_packages(names: list[str]) -> None:
    """Imports what the contenders need once, so that no first start waits for the disk."""
    packages = {package for name in names for package in CONTENDERS[name].packages}
    for package in sorted(packages):
        if importlib.util.find_spec(package) is not None:
            command = [sys.executable, "-c", f"import {package}"]
            subprocess.run(command, cwd=ROOT, env={**os.environ, **QUIET}, capture_output=True, check=False)


def measure_peaks(say: Say) -> dict[str, dict[str, float]]:
    """What `experiments.speed.peaks` says by each package that is there."""
    found = {}
    for name in ("torch", "jax"):
        if importlib.util.find_spec(name) is None:
            continue
        command = [sys.executable, "-m", "experiments.speed.peaks", name]
        told = subprocess.run(
            command,
            cwd=ROOT,
            env={**WAITING, **os.environ, **QUIET},
            capture_output=True,
            text=True,
            check=False,
        )
        if told.returncode != 0:
            say(f"the peaks by {name} could not be measured: {told.stderr.strip().splitlines()[-1:]}")
            continue
        found[name] = json.loads(told.stdout)
    return found


def best_peaks(found: dict[str, dict[str, float]]) -> dict[str, float]:
    """The faster of the packages for each."""
    names = {name for peaks in found.values() for name in peaks}
    return {name: max(peaks.get(name, 0.0) for peaks in found.values()) for name in sorted(names)}


class Match:
    """The contenders of one work at one batch size."""

    def __init__(self, work: Work, batch: int, names: list[str], *, on_gpu: bool, say: Say) -> None:
        self.work, self.batch, self.on_gpu, self.say = work, batch, on_gpu, say
        self.found: dict[str, dict[str, Any]] = {name: {"rounds": []} for name in names}
        self.running: dict[str, Process] = {}

    def start(self, *, timed: bool) -> None:
        """Starts all that can take part.

        Args:
            timed: one after the other, and those with a cache once more with what it holds; otherwise all at
                once, and their times to the first step mean nothing and are left out.
        """
        for name, entry in self.found.items():
            reason = missing(CONTENDERS[name], self.work, self.on_gpu)
            if reason:
                entry["skipped"] = reason
        names = [name for name, entry in self.found.items() if "skipped" not in entry]
        with own_caches() as cache:
            if timed:
                for name in names:
                    self._start_timed(name, f"{cache}/{name}")
                return
            self.say(f"{self.work.name}, batch {self.batch}: starting {', '.join(names)}")
            for name in names:
                self._spawn(name, f"{cache}/{name}")
            for name in names:
                try:
                    self.found[name]["parameters"] = self.running[name].answer()["parameters"]
                except Broken as error:
                    self._broke(name, error)

    def _start_timed(self, name: str, cache: str) -> None:
        entry = self.found[name]
        self.say(f"{self.work.name}, batch {self.batch}: starting {name}")
        try:
            entry |= self._spawn(name, cache).answer()
            if CONTENDERS[name].caches:
                self.running.pop(name).stop()
                entry["first_step_again"] = self._spawn(name, cache).answer()["first_step"]
        except Broken as error:
            self._broke(name, error)

    def _spawn(self, name: str, cache: str) -> Process:
        self.running[name] = Process(name, self.work.name, self.batch, environment(cache))
        return self.running[name]

    def _broke(self, name: str, error: Broken) -> None:
        self.found[name]["error"] = str(error)
        self.say(f"{name} broke: {error}")
        process = self.running.pop(name, None)
        if process is not None:
            process.stop()

    def play(self, rounds: Rounds) -> None:
        """All rounds; in each every contender trains once, and another one begins."""
        steps = {}
        for name in list(self.running):
            try:
                steps[name] = rounds.steps or self._calibrate(name, rounds.seconds)
            except Broken as error:
                self._broke(name, error)
        for number in range(rounds.count):
            self.say(f"{self.work.name}, batch {self.batch}: round {number + 1} of {rounds.count}")
            names = list(self.running)
            turn = number % max(len(names), 1)
            for name in names[turn:] + names[:turn]:
                try:
                    self._round(name, steps[name])
                except Broken as error:
                    self._broke(name, error)

    def _calibrate(self, name: str, seconds: float) -> int:
        """Steps that take about so long; it warms up as well."""
        one = self.running[name].ask(1)["seconds"]
        if one < seconds / 2:
            count = max(1, min(MOST_STEPS, round(seconds / 4 / one)))
            one = self.running[name].ask(count)["seconds"] / count
        return max(1, min(MOST_STEPS, round(seconds / one)))

    def _round(self, name: str, steps: int) -> None:
        process = self.running[name]
        before = time.monotonic(), machine.cpu_seconds(process.pid), machine.busy_seconds()
        answer = process.ask(steps)
        after = time.monotonic(), machine.cpu_seconds(process.pid), machine.busy_seconds()
        wall, own, everything = (late - early for early, late in zip(before, after, strict=True))
        entry = self.found[name]
        entry["memory"], entry["device_memory"] = answer["memory"], answer["device_memory"]
        entry["rounds"].append(
            {
                "seconds": answer["seconds"],
                "steps": steps,
                "cores": own / wall,
                "others": max(everything - own, 0.0) / wall,
            }
        )

    def stop(self) -> None:
        """Ends all processes."""
        for process in self.running.values():
            process.stop()
        self.running = {}
