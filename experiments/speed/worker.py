"""One contender in a process of its own: builds, takes a first step, and runs a round for each line on stdin.

    python -m experiments.speed.worker '{"contender": "ours", "work": "dcgan28", "batch": 32, "begun": 0.0}'

Each line of the parent is a number of steps; each answer is a line of JSON on stdout.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from experiments.speed.contenders import CONTENDERS
from experiments.speed.works import WORKS


def own_stdout() -> TextIO:
    """The parent's pipe; what the frameworks print goes to stderr from here on."""
    pipe = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return pipe


def peak_memory() -> int:
    """Bytes that this process had in memory at most."""
    with Path("/proc/self/status").open() as lines:
        kilobytes = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(kilobytes) * 1024


def run(asked: dict[str, Any], pipe: TextIO) -> None:
    """Answers until stdin ends."""
    import numpy as np

    work, batch = WORKS[asked["work"]], asked["batch"]
    module = importlib.import_module(CONTENDERS[asked["contender"]].module)
    imported = time.monotonic()
    shape = (work.steps_per_call, work.critic_steps, batch, *work.image_shape)
    images = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    contender = module.make(asked["contender"], work, images)
    contender.steps(1)
    ready = time.monotonic()
    answer = {
        "imported": imported - asked["begun"],
        "first_step": ready - asked["begun"],
        "parameters": contender.parameters(),
    }
    pipe.write(json.dumps(answer) + "\n")
    for line in sys.stdin:
        begun = time.perf_counter()
        contender.steps(int(line))
        seconds = time.perf_counter() - begun
        answer = {
            "seconds": seconds,
            "memory": peak_memory(),
            "device_memory": contender.device_bytes(),
        }
        pipe.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    run(json.loads(sys.argv[1]), own_stdout())
