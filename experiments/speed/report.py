"""From what was measured to tables in Markdown."""

from __future__ import annotations

from statistics import median
from typing import Any

from experiments.speed.contenders import CONTENDERS

HEADER = (
    "| contender | batches/s | images/s | ours is so many times as fast | GFLOP/s | of peak "
    "| of memory's peak | first step, s | again, s | memory, MB | cores |"
)
OURS = "ours"


def rates(entry: dict[str, Any]) -> list[float]:
    """Steps per second in each round."""
    return [row["steps"] / row["seconds"] for row in entry["rounds"]]


def spread(values: list[float], digits: int = 2) -> str:
    """Median and range."""
    return f"{median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def ratios(found: dict[str, Any], name: str) -> list[float]:
    """Ours against `name`, round by round; empty if one of them is not there."""
    ours = rates(found[OURS]) if OURS in found else []
    return [a / b for a, b in zip(ours, rates(found[name]), strict=False)]


def peak_of(name: str, peaks: dict[str, float]) -> float | None:
    """The matrix products' peak in the contender's precision."""
    return peaks.get("gemm_bfloat16" if "bf16" in name else "gemm_float32")


def share(value: float, peak: float | None) -> str:
    """In per cent."""
    return f"{100 * value / peak:.0f} %" if peak else ""


def row(name: str, match: dict[str, Any], peaks: dict[str, float]) -> str:
    """One contender's line."""
    entry = match["contenders"][name]
    if not entry["rounds"]:
        return f"| {name} | {entry.get('skipped') or entry.get('error', 'no rounds')} |" + " |" * 9
    rate = rates(entry)
    middle = median(rate)
    compared = ratios(match["contenders"], name)
    device = entry.get("device_memory")
    memory = f"{entry['memory'] / 1e6:,.0f}" + (f" + {device / 1e6:,.0f} on the GPU" if device else "")
    again = entry.get("first_step_again")
    cells = [
        name + (f"; then {entry['error']}" if "error" in entry else ""),
        spread(rate),
        f"{middle * match['batch'] * match['critic_steps']:,.0f}",
        spread(compared) if compared and name != OURS else "",
        f"{middle * match['flops'] / 1e9:,.1f}",
        share(middle * match["flops"], peak_of(name, peaks)),
        share(middle * match["bytes"], peaks.get("triad")),
        *["" if start is None else f"{start:.1f}" for start in (entry.get("first_step"), again)],
        memory,
        f"{median(x['cores'] for x in entry['rounds']):.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def others(match: dict[str, Any]) -> str:
    """How much else ran while one contender trained: what disturbs the measurement."""
    busy = [x["others"] for entry in match["contenders"].values() for x in entry["rounds"]]
    if not busy:
        return ""
    return (
        f"While one trained, everything else on the machine (the waiting contenders with it) kept "
        f"{median(busy):.2f} cores busy, {max(busy):.2f} in the worst round."
    )


def table(match: dict[str, Any], peaks: dict[str, float]) -> str:
    """One work at one batch size."""
    lines = [
        f"### {match['work']}, batch {match['batch']}: {match['about']}",
        "",
        f"{match['critic_steps']} discriminator and 1 generator update a step; "
        f"{match['flops'] / 1e9:,.2f} GFLOP and at least {match['bytes'] / 1e6:,.0f} MB "
        f"a step; {match['parameters']:,} parameters.",
        "",
        HEADER,
        "|---" * 11 + "|",
        *[row(name, match, peaks) for name in match["contenders"]],
        "",
        others(match),
        "",
    ]
    return "\n".join(lines)


def markdown(results: dict[str, Any]) -> str:
    """The whole report."""
    peaks, hardware = results["peaks"], results["hardware"]
    gpus = ", ".join(hardware["gpus"]) or "none"
    by = "; ".join(
        f"{name}: {x['gemm_float32'] / 1e9:,.0f} GFLOP/s float32, {x['gemm_bfloat16'] / 1e9:,.0f} bfloat16, "
        f"triad {x['triad'] / 1e9:,.1f} GB/s"
        for name, x in results["peaks_by"].items()
    )
    head = [
        f"# Speed: {hardware['cpu']}, {hardware['cores']} cores; GPU: {gpus}",
        "",
        f"{results['date']}; `{results['command']}`; {results['minutes']:.0f} minutes. "
        + ", ".join(f"{name} {version}" for name, version in results["versions"].items())
        + f". Memory {hardware['memory_bytes'] / 2**30:.0f} GiB, {hardware['system']}.",
        "",
        f"OMP_WAIT_POLICY={results['waiting']} for all. Measured peaks: {by}. Shares are of the faster one, "
        "bfloat16's for contenders in bfloat16.",
        "",
        "Medians and ranges over the rounds; every contender is a process of its own, and in each round all "
        "train in turn. Ratios are taken round by round. The reals are noise that lies ready in memory, the "
        'same for all. "First step" is from the start of the process, with nothing compiled before; '
        '"again" the same with what that start left in the contender\'s own cache of compiled programs.',
        "",
        *[f"- {name}: {CONTENDERS[name].about}" for name in results["contenders"]],
        "",
    ]
    return "\n".join([*head, *[table(match, peaks) for match in results["matches"]]])
