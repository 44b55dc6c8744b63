"""A train step, compiled for accelerators that are not there: what it holds, does, moves and launches."""

from __future__ import annotations

import re
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import jax

from gan_jax.accelerators import hlo, products, thunks
from gan_jax.accelerators.targets import Target, compiler_options
from gan_jax.utils.errors import UserError
from gan_jax.utils.memory import is_out_of_memory

_CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
_BACK_TO_HOST = ("callback", "infeed", "outfeed", "SendToHost", "RecvFromHost")


@dataclass(frozen=True)
class Measured:
    """Of one chip; bytes and counts of a step, but for what a call of several steps holds.

    Attributes:
        arguments: bytes: the state, the input of a call, data sets on the device.
        aliased: bytes of the arguments that are written over by the results: the whole state.
        results: bytes beside those.
        temporaries: bytes: activations, gradients.
        code: bytes of the program.
        kernels: that a step launches; on a TPU what XLA calls fusions, and what stands alone.
        kinds: the same by what they are: "fusion", "convolution", "copy", ...
        moved: bytes of main memory that they read and write.
        collectives: of a step.
        launches: command buffers and what is in none; None but on a GPU.
        flops: that XLA counts in a step, loops in it once; 0 where the back end does not say it.
        cycles: that XLA:TPU estimates for a step's fusions, one after the other; 0 on a GPU.
        arithmetic: convolutions and products, and the rest; None on a GPU, where cuDNN has them.
        seconds: that it took to compile.
        text: the optimised HLO.
    """

    arguments: int
    aliased: int
    results: int
    temporaries: int
    code: int
    kernels: int
    kinds: Mapping[str, int]
    moved: float
    collectives: tuple[hlo.Collective, ...]
    launches: thunks.Launches | None
    flops: float
    cycles: int
    arithmetic: products.Arithmetic | None
    seconds: float
    text: str

    @property
    def peak(self) -> int:
        """Bytes that the chip must hold at once."""
        return self.arguments + self.results + self.temporaries + self.code

    @property
    def exchanged(self) -> float:
        """Bytes that a step's collectives hand back to each chip."""
        return sum(one.bytes * one.times for one in self.collectives)

    @property
    def timed(self) -> int:
        """Kernels of cuDNN and cuBLAS, which a GPU chooses by timing them."""
        return sum(count for kind, count in self.kinds.items() if kind.startswith(("cudnn", "cublas")))

    @property
    def has_float64(self) -> bool:
        """Whether anything in the program is a double."""
        return re.search(r"\bf64\[", self.text) is not None

    @property
    def has_callback(self) -> bool:
        """Whether the program asks the host for anything."""
        return any(word in self.text for word in _BACK_TO_HOST)


class DoesNotFit(UserError):
    """The compiler says that the chip's memory is too small."""


def measure(lowered: jax.stages.Lowered, target: Target) -> Measured:
    """Compiles and reads what came out.

    Raises:
        DoesNotFit: as the compiler says.
    """
    with tempfile.TemporaryDirectory(prefix="gan_jax_") as folder:
        options: dict[str, Any] = compiler_options(target)
        if target.platform == "gpu":
            options |= {"xla_dump_to": folder, "xla_dump_hlo_as_text": True}
        begun = time.perf_counter()
        try:
            compiled = lowered.compile(compiler_options=options or None)
        except jax.errors.JaxRuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise DoesNotFit(f"target={target.name}: it does not fit: {_words(str(error))}") from error
        seconds = time.perf_counter() - begun
        launched = thunks.read(Path(folder)) if target.platform == "gpu" else None
    return _read(compiled, target, launched, seconds)


def _read(
    compiled: jax.stages.Compiled, target: Target, launched: thunks.Launches | None, seconds: float
) -> Measured:
    text, memory = compiled.as_text() or "", cast(Any, compiled.memory_analysis())
    module = hlo.parsed(text)
    run = module.step()
    kinds: Counter[str] = Counter()
    moved, cycles = 0.0, 0
    for computation, one, times in run:
        moved += times * module.moved_bytes(computation, one)
        estimated = _CYCLES.search(one.line)
        cycles += times * int(estimated[1]) if estimated else 0
        if one.kind not in ("copy-start", "slice-start", "custom-call") or _is_kernel(one):
            kinds[_kind(one)] += times
    return Measured(
        arguments=memory.argument_size_in_bytes,
        aliased=memory.alias_size_in_bytes,
        results=memory.output_size_in_bytes - memory.alias_size_in_bytes,
        temporaries=memory.temp_size_in_bytes,
        code=memory.generated_code_size_in_bytes,
        kernels=sum(kinds.values()),
        kinds=dict(kinds.most_common()),
        moved=moved,
        collectives=tuple(hlo.exchanged(run)),
        launches=launched,
        flops=float((compiled.cost_analysis() or {}).get("flops", 0.0)),
        cycles=cycles,
        arithmetic=products.arithmetic(module) if target.platform == "tpu" else None,
        seconds=seconds,
        text=text,
    )


def _is_kernel(one: hlo.Instruction) -> bool:
    """Whether a custom call computes: a TPU's programs also have some that only name a place in memory."""
    return (
        one.kind == "custom-call"
        and "Allocate" not in one.target
        and one.target != "AssumeGatherIndicesInBound"
    )


def _kind(one: hlo.Instruction) -> str:
    for library in ("cudnn", "cublas"):
        if library in one.target.lower():
            return f"{library} {one.target.rpartition('$')[2]}"  # of "__cudnn$convForward"
    return one.kind.removesuffix("-start") if one.kind != "custom-call" else one.target or one.kind


def _words(message: str) -> str:
    """What the compiler says of the memory, in a line."""
    told = re.search(
        r"Used [\d.]+\w? of [\d.]+\w? \w+|(?:the )?total memory required.*?exceeds[^.]*\.[^.]*", message
    )
    return told[0] if told else (message.splitlines() or [""])[0][:200]
