"""The table of what was compiled, from rows of results.jsonl."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

HEAD = (
    "config",
    "images",
    "state, MiB",
    "temporaries, MiB",
    "of memory",
    "GFLOP",
    "MB moved",
    "kernels",
    "collectives (MB)",
    "bound, ms",
    "by",
    "compiled in, s",
)
GPU = ("in command buffers",)
TPU = ("in products", "lanes filled", "units busy")
LEGEND = """Of a TPU: *in products*, the share of operations that convolutions and products have;
*lanes filled*, of 128, by the channels that they add up / that come out, a mean weighted by operations;
*units busy*, of the matrix units in the cycles that the compiler estimates, for a v5e.
"""


def report(rows: Sequence[dict[str, Any]], names: Iterable[str], targets: Sequence[str]) -> str:
    """A table for each target and one of configs with changes, what is missing, and the versions."""
    latest = {(row["config"], row["target"]): row for row in rows if not row.get("changes")}
    names = list(names)
    others = dict.fromkeys(target for _, target in latest if target not in targets)
    parts = ["Written by `python experiments/accelerators/run.py`. Per chip and train step.\n"]
    versions = sorted({str(row["versions"]) for row in rows if "versions" in row})
    parts += [f"Compilers: {', '.join(versions)}.\n"] if versions else []
    parts.append(LEGEND)
    for target in [*targets, *others]:
        found = [latest[name, target] for name in names if (name, target) in latest]
        parts.append(f"## {target}: {len(found)} of {len(names)}\n")
        parts.append(_table(found, target) if found else "Nothing was compiled yet.\n")
    changed = {(row["config"], row["target"], str(row["changes"])): row for row in rows if row.get("changes")}
    for target in dict.fromkeys(row["target"] for row in changed.values()):
        parts.append(f"## {target}, with changes\n")
        parts.append(_table([row for row in changed.values() if row["target"] == target], target))
    parts += _by_batch(rows)
    missing = [name for name in names if not any((name, target) in latest for target in targets)]
    if missing:
        parts.append(f"Not compiled for any of these yet: {', '.join(missing)}.\n")
    return "\n".join(parts)


def _by_batch(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Compiled for several batches: what the compiler estimates for each, and from which a chip is busy."""
    series: dict[tuple[str, str], dict[float, dict[str, Any]]] = {}
    for row in rows:
        if row.get("cycles") and set(row["changes"]) <= {"batch_size"}:
            series.setdefault((row["config"], row["target"]), {})[row["batch"] / row["chips"]] = row
    parts = []
    for (name, target), found in series.items():
        if len(found) < 2:
            continue
        points = {images: found[images]["cycles"] for images in sorted(found)}
        head = ("images on each chip", "cycles a step", "cycles an image", "units busy")
        lines = [_line(head), _line(["---"] * len(head))]
        for images, cycles in points.items():
            busy = found[images].get("busy")
            shown = f"{100 * busy:.2g} %" if busy else ""
            lines.append(_line((f"{images:g}", f"{cycles:,}", f"{cycles / images:,.0f}", shown)))
        parts.append(f"## {name} for {target}, by batch\n")
        parts.append("\n".join(lines) + "\n")
        parts.append(
            "By the line through the two largest, a chip reaches half of the images a second that it can "
            f"reach from {half_busy(points):.0f} images on each chip.\n"
        )
    return parts


def half_busy(cycles: Mapping[float, float]) -> float:
    """The batch at which the cycles that do not grow with it are half of all (Hockney's n 1/2).

    Args:
        cycles: by the images of a batch; the line is that through the two largest batches.
    """
    (few, some), (many, most) = sorted(cycles.items())[-2:]
    each = (most - some) / (many - few)
    return max(some - each * few, 0.0) / each


def _table(rows: Sequence[dict[str, Any]], target: str) -> str:
    more = GPU if target.startswith(("h100", "a100")) else TPU
    head = (*HEAD[:8], *more, *HEAD[8:])
    lines = [_line(head), _line(["---"] * len(head)), *(_line(_cells(row, more)) for row in rows)]
    return "\n".join(lines) + "\n"


def _cells(row: dict[str, Any], more: Sequence[str]) -> list[str]:
    changes = [f"{field.rpartition('.')[2]}={value}" for field, value in row.get("changes", {}).items()]
    name = ", ".join([row["config"], *changes])
    if "error" in row:
        return [name, *[""] * (len(HEAD) + len(more) - 3), row["error"].replace("|", "/"), ""]
    bound = max(row["bound"].values())
    exchanged = ", ".join(
        f"{count} {kind} ({size / 1e6:.3g})" for kind, (count, size) in row["collectives"].items()
    )
    buffers = row.get("buffers")
    return [
        name,
        str(row["batch"]),
        f"{row['state'] / 2**20:.1f}",
        f"{row['temporaries'] / 2**20:.1f}",
        f"{100 * row['peak'] / row['memory']:.2g} %{'' if row['fits'] else ', does not fit'}",
        f"{row['gflop']:.3g}",
        f"{row['moved'] / 1e6:.3g}",
        str(row["kernels"]),
        *(_products(row) if more is TPU else [f"{buffers[1]} in {buffers[0]}" if buffers else ""]),
        exchanged or "none",
        f"{1e3 * bound:.3g}",
        row["by"],
        f"{row['seconds']:.0f}",
    ]


def _products(row: dict[str, Any]) -> list[str]:
    found, busy = row.get("products"), row.get("busy")
    if not found:  # of before these were counted
        return ["", "", ""]
    lanes = " / ".join(f"{100 * share:.0f} %" for share in found["filled"])
    return [f"{100 * found['share']:.3g} %", lanes, f"{100 * busy:.2g} %" if busy else ""]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
