"""XLA:GPU's list of what a compiled program launches, and which of it is in command buffers (CUDA graphs).

The compiler writes it among its dumps (`--xla_dump_to`), one line each, indented as loops nest:

    003: kWhile [...]
      body:
        000: kCommandBuffer [...]
            005: kCustomKernel [...] loop_add_fusion grid: ...
        016: kConvolution [...]
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FILE = "*thunk_sequence_after_thunk_passes.txt"
_LINE = re.compile(r"^(\s*)(?:\d+: )?(k\w+)\s+\[")
_HEADING = re.compile(r"^(\s*)([a-z]\w*):\s*$")


@dataclass(frozen=True)
class Launches:
    """Of one train step.

    Attributes:
        buffers: command buffers.
        captured: kernels that they hold.
        lone: kernels and copies that the host launches one by one, by kind.
    """

    buffers: int
    captured: int
    lone: dict[str, int]


def launches(text: str) -> Launches:
    """What the body of the largest outermost loop launches, its own loops counted once."""
    lines = [found for found in map(_read, text.splitlines()) if found is not None]
    tops = [
        index for index, (depth, kind) in enumerate(lines) if kind == "kWhile" and _is_outermost(lines, index)
    ]
    bodies = [_inside(lines, index) for index in tops]
    chosen = max(bodies, key=len, default=lines)
    buffers, captured, lone = 0, 0, dict[str, int]()
    within = -1  # the depth of the command buffer that is open
    for depth, kind in chosen:
        within = within if depth > within else -1
        if kind == "kCommandBuffer":
            buffers, within = buffers + 1, depth
        elif kind.startswith("k") and kind not in ("kWhile", "kConditional", "kSequential"):
            if 0 <= within < depth:
                captured += 1
            else:
                lone[kind.removeprefix("k")] = lone.get(kind.removeprefix("k"), 0) + 1
    return Launches(buffers, captured, lone)


def read(folder: Path) -> Launches | None:
    """From a folder of dumps; None where the compiler wrote no such list."""
    files = sorted(folder.glob(FILE), key=lambda file: file.stat().st_size)
    return launches(files[-1].read_text()) if files else None


def _read(line: str) -> tuple[int, str] | None:
    if found := _LINE.match(line):
        return len(found[1]), found[2]
    found = _HEADING.match(line)
    return (len(found[1]), found[2]) if found else None


def _is_outermost(lines: list[tuple[int, str]], index: int) -> bool:
    return all(lines[index][0] <= depth for depth, kind in lines[:index] if kind == "kWhile")


def _inside(lines: list[tuple[int, str]], index: int) -> list[tuple[int, str]]:
    """What the body of a loop runs, with the bodies of loops in it, without their conditions."""
    found, in_condition = [], False
    for depth, kind in lines[index + 1 :]:
        if kind in ("condition", "body"):  # the heading "condition" is never indented
            in_condition = kind == "condition"
        elif not in_condition:
            if depth <= lines[index][0]:
                break
            found.append((depth, kind))
    return found
