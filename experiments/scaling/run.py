"""The paper model of scaling: writes tables.md, strong_scaling.png and hiding.png beside this file.

    python experiments/scaling/run.py [--utilisation 0.5] [--out FOLDER]
    python experiments/scaling/run.py --measured experiments/speed/results/FILE.json

With --measured it only prints measured steps per second beside predicted ones.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from experiments.scaling import figures, measured, tables
from experiments.scaling.workloads import WORKLOADS, Workload
from gan_jax.utils import files
from gan_jax.utils.errors import UserError

HERE = Path(__file__).parent
# The thesis's DCGAN and the largest float32 products on two cores, as experiments/speed measured both
# (its results).
CPU_STEPS_PER_SECOND, CPU_BATCH, CPU_PEAK = 22.49, 32, 349e9


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--utilisation", type=float, default=0.5, help="share of the peak, in (0, 1]")
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--measured", type=Path, help="a result of python experiments/speed/run.py")
    args = parser.parse_args()
    if not 0.0 < args.utilisation <= 1.0:
        parser.error(f"--utilisation={args.utilisation}: it must be in (0, 1]")
    works = {name: make() for name, make in WORKLOADS.items()}
    if args.measured is not None:
        try:
            sys.stdout.write(measured_table(args.measured, works))
        except UserError as error:
            parser.error(str(error))
        return 0
    files.write_atomically(args.out / "tables.md", report(works, args.utilisation).encode())
    figures.strong_scaling(works, args.utilisation, args.out / "strong_scaling.png")
    figures.hiding(works, args.utilisation, args.out / "hiding.png")
    return 0


def report(works: dict[str, Workload], utilisation: float) -> str:
    """All tables."""
    parts = [
        ("Counted, per image and step", tables.works_table(works)),
        ("Memory", tables.memory_table(works)),
        ("Strong scaling on H100, ms", tables.step_table(works, "h100", utilisation)),
        ("Strong scaling on TPU v5e, ms", tables.step_table(works, "v5e", utilisation)),
        ("Strong scaling on TPU v5p, ms", tables.step_table(works, "v5p", utilisation)),
        ("Weak scaling, thousand images/s", tables.weak_table(works, utilisation)),
        ("Images on a chip that hide the gradients", tables.hiding_table(works, utilisation)),
        ("Published times", tables.published_table()),
        ("The CPU", cpu_table(works["dcgan28"])),
    ]
    return "\n".join(f"## {title}\n\n{table}" for title, table in parts)


def cpu_table(work: Workload) -> str:
    """The measured steps against the peak of the same two cores.

    The flops are the definition's. The Fourier forms that a CPU runs need fewer: the share says how fast the
    steps are, not how busy the cores were, and the peak is no ceiling.
    """
    flops = work.flops(CPU_BATCH)
    reached = CPU_STEPS_PER_SECOND * flops
    row = [f"{flops / 1e9:.2f}", CPU_STEPS_PER_SECOND, f"{reached / 1e9:.0f}", f"{CPU_PEAK / 1e9:.0f}"]
    head = ["GFLOP a step by definition", "measured steps/s", "GFLOP/s", "peak, GFLOP/s", "share"]
    return tables.table(head, [[*row, f"{100 * reached / CPU_PEAK:.0f} %"]])


def measured_table(path: Path, works: dict[str, Workload]) -> str:
    """Measured and predicted steps per second."""
    rows = measured.compare(path, works)
    cells = [
        [
            row.work,
            row.batch,
            row.contender,
            tables.figures(row.steps_per_second),
            tables.figures(row.predicted),
            f"{row.steps_per_second / row.predicted:.2f}",
            tables.figures(row.flops_per_second / 1e9),
        ]
        for row in rows
    ]
    head = ["work", "batch", "contender", "measured steps/s", "predicted", "measured / predicted", "GFLOP/s"]
    return f"{rows[0].device}; predicted at {rows[0].assumed}\n\n" + tables.table(head, cells)


if __name__ == "__main__":
    sys.exit(main())
