"""Does a discriminator that is trained against a fixed generator become p / (p + q)?

Writes densities.png, plane.png, errors.png and results.md beside this file (or into --out).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from gan_jax.densities import Mixture, mixture, ring
from gan_jax.densities.density import Density
from gan_jax.models import MODELS
from gan_jax.optim.optimizers import adam, no_average
from gan_jax.optim.schedules import cosine
from gan_jax.summaries.plotting import median_band, new_figure, save_figure
from gan_jax.theory.divergences import js, kl, total_variation
from gan_jax.theory.fixed import KnownGenerator
from gan_jax.theory.grid import Grid, box, log_density, on_axes
from gan_jax.theory.optimal import optimal_discriminator, optimal_value, value, value_gap
from gan_jax.theory.playing import begin, draw_points, logits_on, of_each_seed, play
from gan_jax.utils import files

LEVEL = 1e-2  # of (p + q) / 2 against its maximum: above it is what we call the support
SHOWN = (0, 30, 300, -1)  # steps in the pictures; -1 is the last


@dataclass(frozen=True)
class Case:
    """A pair of known densities and where they are integrated."""

    name: str
    data: Density
    generator: Density
    grid: Grid


@dataclass(frozen=True)
class Result:
    """What was measured: per logged step and seed, [T, S], but for the first two."""

    case: Case
    steps: list[int]
    logits: np.ndarray  # [T, N], of the first seed
    sup: np.ndarray  # of |D - D*| on the support
    mean: np.ndarray  # E |D - D*| under (p + q) / 2
    value: np.ndarray
    gap: np.ndarray  # V(D*) - V(D), as one integral


def cases() -> list[Case]:
    """The three: two mixtures on the line, a wide ring against one Gaussian, and twice the same density."""
    data = mixture((-1.5, 1.0), (0.4, 0.6), (0.4, 0.6))
    broad = Mixture(means=((0.0, 0.0),), stds=(1.6,))
    line, plane = box((-6.0, 6.0, 2401)), box((-8.0, 8.0, 161), (-8.0, 8.0, 161))
    return [
        Case("line", data, mixture((-0.5, 2.0), (0.8, 0.3), (0.7, 0.3)), line),
        Case("plane", ring(std=0.3), broad, plane),
        Case("equal", data, data, line),
    ]


def main() -> None:
    """Runs all cases and writes figures and table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()
    results = [measure(case, args.steps, args.seeds, args.batch) for case in cases()]
    draw_line([results[0], results[2]], args.out / "densities.png")
    draw_plane(results[1], args.out / "plane.png")
    draw_errors(results, args.out / "errors.png")
    files.write_atomically(args.out / "results.md", table(results).encode())


def measure(case: Case, steps: int, seeds: int, batch: int) -> Result:
    """Trains one discriminator per seed and integrates over it as it learns."""
    algorithm = KnownGenerator(
        density=case.generator,
        generator=MODELS["mlp_generator"](image_shape=(1, 1, case.data.dimension), widths=(1,)),
        discriminator=MODELS["mlp_discriminator"](widths=(64, 64), activation="leaky_relu"),
        generator_tx=adam(1e-3),
        discriminator_tx=adam(cosine(5e-3, 0.0, steps)),
        ema_decay=no_average(),
        latent_size=1,
    )
    draw = draw_points(case.data, batch)
    states, advance = begin(algorithm, range(seeds), draw), play(algorithm, draw)
    judge = of_each_seed(logits_on(algorithm, case.grid.points))
    log_p, log_q = (log_density(density, case.grid) for density in (case.data, case.generator))
    best = expit(optimal_discriminator(log_p, log_q))
    middle = np.exp(np.logaddexp(log_p, log_q)) / 2
    support = middle > LEVEL * middle.max()
    logged = sorted(
        {0, steps, *(s for s in SHOWN if s >= 0), *np.geomspace(1, steps, 30).astype(int).tolist()}
    )
    rows: list[dict[str, list[float]]] = []
    first: list[np.ndarray] = []
    for now, before in zip(logged, [0, *logged], strict=False):
        states = advance(states, now - before)
        logits = judge(states)
        errors = np.abs(expit(np.float64(logits)) - best)
        first.append(logits[0])
        rows.append(
            {
                "sup": [e[support].max() for e in errors],
                "mean": [case.grid.integral(middle * e) for e in errors],
                "value": [value(log_p, log_q, x, case.grid) for x in logits],
                "gap": [value_gap(log_p, log_q, x, case.grid) for x in logits],
            }
        )
    found = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Result(case, logged, np.array(first), **found)


def table(results: list[Result]) -> str:
    """The closed forms and what training reached: medians over the seeds, and the worst seed."""
    lines = [
        "| case | JS | KL(p‖q) | KL(q‖p) | TV | V(D\\*) | V(D) | V(D\\*) - V(D) | mean error | sup error |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        grid = r.case.grid
        p, q = log_density(r.case.data, grid), log_density(r.case.generator, grid)
        exact = [js(p, q, grid), kl(p, q, grid), kl(q, p, grid), total_variation(p, q, grid)]
        cells = [r.case.name, *(f"{x:.4f}" for x in exact), f"{optimal_value(p, q, grid):.5f}"]
        cells += [f"{np.median(r.value[-1]):.5f}", f"{np.median(r.gap[-1]):.1e} ({r.gap[-1].max():.1e})"]
        cells += [f"{np.median(x[-1]):.4f} ({x[-1].max():.4f})" for x in (r.mean, r.sup)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def draw_line(results: list[Result], path: Path) -> None:
    """Densities, the best discriminator and the learnt one at several steps; one column per case."""
    figure = new_figure(10, 5.5)
    axes = figure.subplots(2, 2, sharex=True, height_ratios=(1, 1.6))
    for column, result in enumerate(results):
        case = result.case
        x, top, below = case.grid.points[:, 0], axes[0][column], axes[1][column]
        p, q = log_density(case.data, case.grid), log_density(case.generator, case.grid)
        top.fill_between(x, np.exp(p), color="k", alpha=0.2, label="p, the data")
        top.plot(x, np.exp(q), color="C2", linestyle="-" if column == 0 else "--", label="q, the generator")
        below.plot(x, expit(optimal_discriminator(p, q)), color="k", linewidth=4, alpha=0.25, label="D*")
        for n, step in enumerate(SHOWN):
            index = result.steps.index(step) if step >= 0 else len(result.steps) - 1
            curve = expit(result.logits[index])
            below.plot(x, curve, color=f"C{(0, 4, 1, 3)[n]}", label=f"D, step {result.steps[index]:,}")
        middle = np.exp(np.logaddexp(p, q)) / 2
        inside = x[middle > LEVEL * middle.max()]
        for ax in (top, below):
            ax.axvspan(-6, inside[0], color="0.93")
            ax.axvspan(inside[-1], 6, color="0.93")
        top.set(title=("different densities", "the generator is perfect")[column], xlim=(-4, 4.5))
        below.set(ylim=(-0.03, 1.45), xlabel="x")
    axes[0][0].set_ylabel("density")
    axes[1][0].set_ylabel("D(x), probability of data")
    axes[0][0].legend(fontsize=8, loc="upper left")
    axes[1][0].legend(fontsize=8, loc="upper left")
    save_figure(figure, path)


def draw_plane(result: Result, path: Path) -> None:
    """The two-dimensional case: D* and the learnt D at several steps, with the data's contours."""
    case, side = result.case, 4.5
    figure = new_figure(10, 2.9)
    axes = figure.subplots(1, 4, sharey=True)
    p, q = log_density(case.data, case.grid), log_density(case.generator, case.grid)
    best = optimal_discriminator(p, q)
    shown = [(f"D, step {s:,}", result.logits[result.steps.index(s)]) for s in (30, 300, result.steps[-1])]
    image: Any = None
    for ax, (title, logits) in zip(axes, [*shown, ("D* = p / (p + q)", best)], strict=True):
        ends = (case.grid.points[0, 0], case.grid.points[-1, 0])
        plane = on_axes(expit(logits), case.grid).T
        image = ax.imshow(plane, origin="lower", extent=(*ends, *ends), cmap="RdBu", vmin=0, vmax=1)
        axis = np.linspace(*ends, case.grid.shape[0])
        ax.contour(axis, axis, on_axes(np.exp(p), case.grid).T, levels=[0.05], colors="k", linewidths=0.5)
        ax.set(title=title, xlim=(-side, side), ylim=(-side, side), xlabel="$x_1$")
    axes[0].set_ylabel("$x_2$")
    figure.colorbar(image, ax=axes, shrink=0.85, label="D(x)")
    save_figure(figure, path, dpi=80)


def draw_errors(results: list[Result], path: Path) -> None:
    """Error and value against the step: median and range over the seeds."""
    figure = new_figure(10, 3.4)
    left, right = figure.subplots(1, 2)
    for n, result in enumerate(results):
        steps = np.maximum(result.steps, 0.7)  # step 0 on a logarithmic axis
        name = result.case.name
        for ax, rows, style, label in (
            (left, result.sup, "-", f"{name}: sup"),
            (left, result.mean, "--", f"{name}: mean"),
            (right, result.gap, "-", name),
        ):
            median_band(ax, steps, rows, label, f"C{n}", style)
    left.set(ylabel="|D - D*| on the support", xlabel="step of D", xscale="log", yscale="log")
    right.set(ylabel="V(D*) - V(D), nats", xlabel="step of D", xscale="log", yscale="log")
    for ax in (left, right):
        ax.grid(visible=True, alpha=0.3)
        ax.legend(fontsize=8)
    save_figure(figure, path)


if __name__ == "__main__":
    main()
