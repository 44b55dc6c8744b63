"""The best discriminator's gradient, exactly, as two normal densities move apart.

Writes overlap.png and overlap.md beside this file (or into --out).
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np

from gan_jax.summaries.plotting import new_figure, save_figure
from gan_jax.theory.gradients import optimal_slopes
from gan_jax.theory.grid import box
from gan_jax.utils import files

STD = 0.1
DISTANCES = np.linspace(0.005, 1.5, 120)  # from the data's centre to the generator's, W1 as well


def main() -> None:
    """Integrates and writes figure and table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()
    curves = {name: np.array([slopes(d)[name] for d in DISTANCES]) for name in slopes(1.0)}
    figure = new_figure(7, 3.6)
    axes = figure.subplots()
    axes.plot(DISTANCES / STD, curves["minimax"], color="C0", label="minimax, E[ln(1 - D*)]")
    axes.plot(DISTANCES / STD, curves["non_saturating"], color="C1", label="non-saturating, -E[ln D*]")
    axes.axhline(1.0, color="C2", label="Wasserstein, W1 = distance")
    axes.set(yscale="log", ylim=(1e-12, 1e3), xlabel="distance of the centres, in standard deviations")
    axes.set_ylabel("d loss / d distance")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)
    save_figure(figure, args.out / "overlap.png")
    files.write_atomically(args.out / "overlap.md", table().encode())


def slopes(distance: float) -> dict[str, float]:
    """The gradients with respect to the distance of N(distance, STD^2), the generator, from N(0, STD^2)."""
    grid = box((-12 * STD, distance + 12 * STD, 6001))
    x = grid.points[:, 0]
    log_p, log_q = (
        -0.5 * ((x - centre) / STD) ** 2 - math.log(STD * math.sqrt(2 * math.pi))
        for centre in (0.0, distance)
    )
    return optimal_slopes(log_p, log_q, (x - distance) / STD**2, grid)


def table() -> str:
    """The gradients at some distances."""
    lines = ["| distance / std | minimax | non-saturating | Wasserstein |", "|---|---|---|---|"]
    for ratio in (0.5, 1, 2, 4, 8, 12):
        found = slopes(ratio * STD)
        lines.append(f"| {ratio:g} | {found['minimax']:.2e} | {found['non_saturating']:.2e} | 1 |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
