"""What `gan-jax train --dry_run --target=...` says of a phase."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from gan_jax.accelerators.bound import Bound
from gan_jax.accelerators.chips import Chip, Tpu
from gan_jax.accelerators.measure import Measured
from gan_jax.accelerators.products import Arithmetic, filled
from gan_jax.core.execution import Execution
from gan_jax.utils.memory import mebibytes


def lines(
    measured: Measured,
    limit: Bound,
    chip: Chip,
    chips: int,
    state: int,
    flops: float,
    execution: Execution,
    batch: int,
) -> list[str]:
    """The report.

    Args:
        state: bytes of the state on each chip.
        flops: of a step, of all chips together.
        batch: images in a mini-batch, over all chips.
    """
    fits = measured.peak <= chip.memory
    inputs = max(measured.arguments - state, 0)
    kinds = ", ".join(f"{count} {kind}" for kind, count in measured.kinds.items())
    return [
        f"compiled for {chips} x {chip.name} in {measured.seconds:.0f} s",
        f"memory of each: state {mebibytes(state)}, input of a call {mebibytes(inputs)}, results "
        f"{mebibytes(measured.results)}, temporaries {mebibytes(measured.temporaries)}, program "
        f"{mebibytes(measured.code)}: {mebibytes(measured.peak)} of {mebibytes(int(chip.memory))}: "
        + (
            "it fits" if fits else f"it does not fit; {advice(state, measured.peak, chips, execution, batch)}"
        ),
        f"a step: {flops / chips / 1e9:.4g} GFLOP and {measured.moved / 1e6:.4g} MB moved on each",
        f"kernels: {measured.kernels} a step ({kinds})",
        *_command_buffers(measured),
        *(_matrix_units(measured, measured.arithmetic, chip) if measured.arithmetic else ()),
        f"collectives: {_collectives(measured)}",
        f"a step takes at least {_shown(limit.step)}, bound by {limit.by}: arithmetic "
        f"{_shown(limit.arithmetic)}, memory {_shown(limit.memory)}, launches {_shown(limit.launches)}, "
        f"exchange {_shown(limit.exchange)}; from published peaks and assumed launches, not measured",
    ]


def advice(state: int, peak: int, chips: int, execution: Execution, batch: int) -> str:
    """What to change where it does not fit: the state, or what a step keeps beside it."""
    if state > peak / 2 and execution.sharding == "replicated" and chips > 1:
        return "set execution.sharding=sharded, or narrower networks"
    ways = [f"batch_size below {batch}"] if batch > chips else []
    ways += [] if execution.remat else ["execution.remat=True"]
    ways += (
        ["execution.accumulation=2 or more, where the method allows it"]
        if execution.accumulation == 1
        else []
    )
    if execution.sharding == "replicated" and chips > 1:
        ways.append("execution.sharding=sharded")
    return "try " + ", ".join([*ways, "more chips" if ways else "narrower networks, or more chips"])


def _command_buffers(measured: Measured) -> list[str]:
    launched = measured.launches
    if launched is None:
        return []
    lone = ", ".join(f"{count} {kind}" for kind, count in launched.lone.items())
    timed = (
        f"; {measured.timed} kernels of cuDNN and cuBLAS, which a GPU chooses by timing them"
        if measured.timed
        else ""
    )
    return [
        f"command buffers: {launched.buffers} with {launched.captured} kernels; launched one by one: "
        f"{lone or 'none'}{timed}"
    ]


def _matrix_units(measured: Measured, arithmetic: Arithmetic, chip: Chip) -> Iterator[str]:
    lanes = []
    for network in arithmetic.networks:
        own = [one for one in arithmetic.products if one.network == network]
        shares = (f"{100 * filled(own, side):.0f}" for side in ("contracted", "features"))
        lanes.append(f"{network or 'elsewhere'} {' and '.join(shares)} %")
    count = len(arithmetic.products)
    yield (
        f"matrix units: {100 * arithmetic.share:.3g} % of the operations are in {count} convolutions and "
        f"products; of 128 lanes their channels fill, of what is added up and of what comes out, "
        f"{', '.join(lanes) or 'none'}"
    )
    if (busy := matrix_units_busy(measured, chip)) and isinstance(chip, Tpu) and chip.clock:
        yield (
            f"estimated by the compiler: {measured.cycles:,} cycles a step, one instruction after the other: "
            f"{_shown(measured.cycles / chip.clock)}, in which the matrix units could do {1 / busy:.3g} "
            "times as much"
        )
    if arithmetic.write_bfloat16:
        named = ", ".join(f"{times} {name}" for name, times in arithmetic.upcasts.most_common(5))
        more = " and others" if len(arithmetic.upcasts) > 5 else ""
        yield (
            f"bfloat16: {arithmetic.read_bfloat16} of {count} convolutions and products read it and "
            f"{arithmetic.write_bfloat16} hand it on (inside, a matrix unit adds up in float32); "
            f"{sum(arithmetic.upcasts.values())} fusions upcast to float32{': ' * bool(named)}{named}{more}"
        )


def matrix_units_busy(measured: Measured, chip: Chip) -> float | None:
    """The products' operations, as a share of what the chip could do in the compiler's cycles."""
    if not isinstance(chip, Tpu) or chip.clock is None or measured.arithmetic is None or not measured.cycles:
        return None
    return measured.arithmetic.flops / (measured.cycles / chip.clock * chip.bf16)


def _collectives(measured: Measured) -> str:
    count: Counter[str] = Counter()
    size: Counter[str] = Counter()
    for one in measured.collectives:
        count[one.kind] += one.times
        size[one.kind] += round(one.bytes * one.times)
    return ", ".join(f"{count[kind]} {kind} of {mebibytes(size[kind])}" for kind in count) or "none"


def _shown(seconds: float) -> str:
    return f"{seconds * 1e6:.3g} us" if seconds < 1e-3 else f"{seconds * 1e3:.3g} ms"
