"""One table of both studies, for the README: python experiments/mode_collapse/table.py"""

import math
import sys
from pathlib import Path

from gan_jax.study.result import Result
from gan_jax.study.results import read_results
from gan_jax.study.statistics import bootstrap
from gan_jax.study.study import open_study, runs_of

HERE = Path(__file__).parent
MODES = {"ring": 8, "grid": 25}


def cell(results: list[Result], score: str, digits: int) -> str:
    """Mean and interval over the seeds."""
    values = [result.last(score) for result in results if result.finished]
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    found = bootstrap(finite)
    text = f"{found.mean:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"
    return text if len(finite) == len(results) else f"{text} ({len(finite)})"


def main() -> None:
    """Prints it, in the order of the ring's modes and then its quality."""
    found: dict[str, dict[str, list[Result]]] = {}
    for name in MODES:
        results, _ = read_results(HERE / name, runs_of(open_study(HERE / name)))
        for result in results:
            found.setdefault(result.variant, {}).setdefault(name, []).append(result)
    lines = []
    for variant, each in found.items():
        cells, key = [variant], (0.0, 0.0)
        for name, count in MODES.items():
            results = each.get(name, [])
            if not results:
                cells += ["", "", ""]
                continue
            modes = [result.last("modes_reached") for result in results]
            all_of_them = sum(value == count for value in modes)
            cells += [
                f"{all_of_them} of {len(results)}",
                cell(results, "modes_reached", 1),
                cell(results, "high_quality", 2),
            ]
            if name == "ring":
                quality = [result.last("high_quality") for result in results]
                key = (-sum(modes) / len(modes), -sum(quality) / len(quality))
        lines.append((key, "| " + " | ".join(cells) + " |"))
    heads = [f"{name}: {what}" for name in MODES for what in ("all modes", "modes", "near a mode")]
    sys.stdout.write(f"| | {' | '.join(heads)} |\n{'|---' * (len(heads) + 1)}|\n")
    sys.stdout.write("\n".join(line for _, line in sorted(lines)) + "\n")


if __name__ == "__main__":
    main()
