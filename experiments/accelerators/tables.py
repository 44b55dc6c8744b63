"""The table of what was compiled, from rows of results.jsonl."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    "in command buffers",
    "collectives (MB)",
    "bound, ms",
    "by",
    "compiled in, s",
)


def report(rows: Sequence[dict[str, Any]], names: Iterable[str], targets: Sequence[str]) -> str:
    """A table for each target, what is missing, and the versions."""
    latest = {(row["config"], row["target"]): row for row in rows if not row.get("changes")}
    names = list(names)
    parts = ["Written by `python experiments/accelerators/run.py`. Per chip and train step.\n"]
    versions = sorted({str(row["versions"]) for row in rows if "versions" in row})
    parts += [f"Compilers: {', '.join(versions)}.\n"] if versions else []
    for target in targets:
        found = [latest[name, target] for name in names if (name, target) in latest]
        missing = [name for name in names if (name, target) not in latest]
        lines = [_line(HEAD), _line(["---"] * len(HEAD)), *(_line(_cells(row)) for row in found)]
        parts.append(f"## {target}\n")
        parts.append("\n".join(lines) + "\n" if found else "Nothing was compiled yet.\n")
        if missing:
            parts.append(f"Not compiled yet: {', '.join(missing)}.\n")
    return "\n".join(parts)


def _cells(row: dict[str, Any]) -> list[str]:
    if "error" in row:
        return [row["config"], *[""] * (len(HEAD) - 3), row["error"].replace("|", "/"), ""]
    bound = max(row["bound"].values())
    exchanged = ", ".join(
        f"{count} {kind} ({size / 1e6:.3g})" for kind, (count, size) in row["collectives"].items()
    )
    buffers = row.get("buffers")
    return [
        row["config"],
        str(row["batch"]),
        f"{row['state'] / 2**20:.1f}",
        f"{row['temporaries'] / 2**20:.1f}",
        f"{100 * row['peak'] / row['memory']:.2g} %{'' if row['fits'] else ', does not fit'}",
        f"{row['gflop']:.3g}",
        f"{row['moved'] / 1e6:.3g}",
        str(row["kernels"]),
        f"{buffers[1]} in {buffers[0]}" if buffers else "",
        exchanged or "none",
        f"{1e3 * bound:.3g}",
        row["by"],
        f"{row['seconds']:.0f}",
    ]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
