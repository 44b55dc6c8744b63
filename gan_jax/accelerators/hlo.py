"""The text of a compiled program's optimised HLO: which instructions a train step runs, and what they move.

Nothing here knows about networks: it is the independent check of what is counted from shapes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
# Instructions that start nothing on the device, or that only wait for what another one started.
FREE = {
    "parameter",
    "constant",
    "tuple",
    "get-tuple-element",
    "bitcast",
    "after-all",
    "partition-id",
    "replica-id",
    "opt-barrier",
}
_HEAD = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_INSTRUCTION = re.compile(r"^(ROOT )?%?([\w.\-]+) = (.+?) ([a-z][\w\-]*)\(")
_ARRAY = re.compile(r"\b(pred|[a-z]+\d+(?:e\d+m\d+\w*)?)\[([\d,]*)\](\{[^}]*\})?")
_CALLED = re.compile(r"(?:body|to_apply|calls|true_computation|false_computation)=%?([\w.\-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_TRIPS = re.compile(r'known_trip_count"?:\{"n":"(\d+)"')
_NAME = re.compile(r"%([\w.\-]+)")
_CUT = ("dynamic-slice", "slice", "gather")  # read a part of their operand


@dataclass(frozen=True)
class Array:
    """An array of a program.

    Attributes:
        layout: "{1,0:T(8,128)S(1)}": the order of its dimensions, its tiles, and S(1) where it lies in the
            scratch memory of a TPU.
    """

    dtype: str
    shape: tuple[int, ...]
    layout: str = ""

    @property
    def bytes(self) -> float:
        """Of its numbers, without the padding of tiles; 0 of a token."""
        bits = re.search(r"\d+", self.dtype)
        return math.prod(self.shape) * (int(bits[0]) / 8 if bits else 1)

    @property
    def is_in_memory(self) -> bool:
        """Whether it lies in the chip's main memory."""
        return "S(" not in self.layout


@dataclass(frozen=True)
class Instruction:
    """A line of a computation; `operands` are names."""

    name: str
    kind: str
    results: tuple[Array, ...]
    operands: tuple[str, ...]
    is_root: bool
    line: str

    @property
    def called(self) -> list[str]:
        """The computations that it names."""
        branches = _BRANCHES.search(self.line)
        names = [name.strip().removeprefix("%") for name in branches[1].split(",")] if branches else []
        return names + _CALLED.findall(self.line)

    @property
    def trips(self) -> int | None:
        """How often a loop runs, where that is known."""
        found = _TRIPS.search(self.line)
        return int(found[1]) if found else None

    @property
    def target(self) -> str:
        """Of a custom call, what is called."""
        found = re.search(r'custom_call_target="([^"]*)"', self.line)
        return found[1] if found else ""

    @property
    def bytes(self) -> float:
        """Of its results."""
        return sum(array.bytes for array in self.results)


@dataclass(frozen=True)
class Computation:
    """A computation's instructions, by name and in order."""

    instructions: dict[str, Instruction]

    @cached_property
    def users(self) -> dict[str, list[Instruction]]:
        """By the name of an instruction, those that read it."""
        found: dict[str, list[Instruction]] = {name: [] for name in self.instructions}
        for instruction in self.instructions.values():
            for operand in dict.fromkeys(instruction.operands):
                found.setdefault(operand, []).append(instruction)
        return found

    @cached_property
    def parameters(self) -> list[Instruction]:
        """In order."""
        number = lambda one: int(re.search(r"parameter\((\d+)\)", one.line)[1])  # type: ignore[index]
        return sorted((x for x in self.instructions.values() if x.kind == "parameter"), key=number)


@dataclass(frozen=True)
class Module:
    """A compiled program."""

    computations: dict[str, Computation]
    entry: str

    def run_by(self, name: str, all_branches: bool = False) -> list[tuple[str, Instruction, int]]:
        """What a computation runs: (computation, instruction, how often), fusions as one.

        A loop of known length counts as often as it runs, one of unknown length once. Of a conditional the
        branch with most instructions counts, or every branch.
        """
        found: list[tuple[str, Instruction, int]] = []
        for one in self.computations[name].instructions.values():
            if one.kind == "while":
                body = re.search(r"body=%?([\w.\-]+)", one.line)
                inner = self.run_by(body[1], all_branches) if body else []
                found += [(where, x, times * (one.trips or 1)) for where, x, times in inner]
            elif one.kind == "conditional":
                branches = [self.run_by(x, all_branches) for x in one.called if x in self.computations]
                chosen = branches if all_branches else [max(branches, key=len, default=[])]
                found += [x for branch in chosen for x in branch]
            elif one.kind in ("call", "async-start"):
                found += [
                    y for x in one.called if x in self.computations for y in self.run_by(x, all_branches)
                ]
            elif one.kind not in FREE and not one.kind.endswith(("-done", "-update")):
                found.append((name, one, 1))
        return found

    def step(self) -> list[tuple[str, Instruction, int]]:
        """What one train step runs: the body of the first loop of unknown length; without one, all."""
        for name in self._reached(self.entry):
            for one in self.computations[name].instructions.values():
                if one.kind == "while" and one.trips is None:
                    body = re.search(r"body=%?([\w.\-]+)", one.line)
                    return self.run_by(body[1]) if body else []
        return self.run_by(self.entry)

    def _reached(self, name: str) -> Iterator[str]:
        yield name
        for one in self.computations[name].instructions.values():
            if one.kind in ("while", "call", "conditional"):
                for called in one.called:
                    if called in self.computations:
                        yield from self._reached(called)

    def moved_bytes(self, computation: str, instruction: Instruction) -> float:
        """Bytes of main memory that an instruction reads and writes; of what it cuts, the part."""
        inside = self.computations[computation].instructions
        arrays = [inside[x].results for x in instruction.operands if x in inside]
        written = [array.bytes for array in instruction.results if array.is_in_memory]
        if instruction.kind in ("copy-start", "slice-start"):  # a TPU's: between main memory and scratch
            return max(written, default=0.0)
        fused = [self.computations[x] for x in instruction.called if x in self.computations]
        if instruction.kind != "fusion" or not fused:
            kept = [array for one in arrays for array in one]
            cut = instruction.kind in _CUT
            return sum(written) * (2 if cut else 1) + (
                0 if cut else sum(x.bytes for x in kept if x.is_in_memory)
            )
        total = sum(written)
        parameters = fused[0].parameters
        for parameter, operand in zip(parameters, arrays, strict=False):
            if not any(array.is_in_memory for array in operand):
                continue
            users = fused[0].users[parameter.name]
            if users and all(user.kind in _CUT and user.operands[0] == parameter.name for user in users):
                total += sum(user.bytes for user in users)
            elif users and all(_writes_into(user, parameter.name) for user in users):
                parts = sum(fused[0].instructions[user.operands[1]].bytes for user in users)
                total += 2 * parts - parameter.bytes  # the whole is among the results
            else:
                total += parameter.bytes
        return max(total, 0.0)


def _writes_into(user: Instruction, name: str) -> bool:
    return user.kind == "dynamic-update-slice" and user.operands[0] == name


def parsed(text: str) -> Module:
    """The module of `compiled.as_text()`.

    Raises:
        ValueError: no entry is in it.
    """
    found: dict[str, Computation] = {}
    name = entry = ""
    for line in text.splitlines():
        head = _HEAD.match(line)
        if head:
            name = head[2]
            entry = name if head[1] else entry
            found[name] = Computation({})
        elif name and line.startswith(" ") and (one := _instruction(line.strip())) is not None:
            found[name].instructions[one.name] = one
    if not entry:
        raise ValueError("this is no HLO module: it has no entry")
    return Module(found, entry)


def _instruction(line: str) -> Instruction | None:
    matched = _INSTRUCTION.match(line)
    if matched is None:
        return None
    depth, end = 1, matched.end()
    while depth and end < len(line):
        depth += {"(": 1, ")": -1}.get(line[end], 0)
        end += 1
    operands = tuple(_NAME.findall(line[matched.end() : end]))
    return Instruction(matched[2], matched[4], _arrays(matched[3]), operands, bool(matched[1]), line)


def _arrays(text: str) -> tuple[Array, ...]:
    return tuple(
        Array(dtype, tuple(int(n) for n in dimensions.split(",") if n), layout or "")
        for dtype, dimensions, layout in _ARRAY.findall(text)
    )


@dataclass(frozen=True)
class Collective:
    """One kind of exchange.

    Attributes:
        shapes: of the arrays of its result; `()` is a scalar.
        times: how often one step runs it.
        bytes: of its result.
        source: which operation of the program it is of.
    """

    kind: str
    shapes: tuple[tuple[int, ...], ...]
    times: int
    bytes: float = 0.0
    source: str = ""

    @property
    def elements(self) -> int:
        """In all of its arrays, once."""
        return sum(math.prod(shape) for shape in self.shapes)


def collectives(text: str) -> list[Collective]:
    """All collectives that a program reaches from its entry, of a conditional in all branches.

    Args:
        text: `compiled.as_text()`.
    """
    module = parsed(text)
    return exchanged(module.run_by(module.entry, all_branches=True))


def exchanged(run: list[tuple[str, Instruction, int]]) -> list[Collective]:
    """The collectives among what is run."""
    found = []
    for _, one, times in run:
        kind = one.kind.removesuffix("-start")
        if kind not in COLLECTIVES:
            continue
        arrays = one.results
        if one.kind in ("all-gather-start", "collective-permute-start", "reduce-scatter-start"):
            arrays = arrays[len(arrays) // 2 :]  # its operands stand before
        source = re.search(r'op_name="([^"]*)"', one.line)
        size = sum(array.bytes for array in arrays)
        shapes = tuple(array.shape for array in arrays)
        found.append(Collective(kind, shapes, times, size, source[1] if source else ""))
    return found


def reduced_elements(text: str) -> int:
    """Numbers that one step adds up over the devices."""
    return sum(x.elements * x.times for x in collectives(text) if x.kind == "all-reduce")
