"""Algorithm 1 of the first GAN paper on a line, where the generator's density is known at every step.

Writes panels.png, value.png, steps.png and results.md beside this file (or into --out).
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from gan_jax import files
from gan_jax.algorithm import apply_network
from gan_jax.algorithms.gan import GAN
from gan_jax.densities import mixture
from gan_jax.losses import LOSSES
from gan_jax.models import MODELS
from gan_jax.optim import adam, no_average
from gan_jax.state import TrainState
from gan_jax.theory.divergences import js, wasserstein_1
from gan_jax.theory.figures import median_band, new_figure, save_figure
from gan_jax.theory.grid import cells, log_density
from gan_jax.theory.optimal import optimal_discriminator, optimal_value, sigmoid, value
from gan_jax.theory.playing import begin, draw_points, logits_on, of_each_seed, play
from gan_jax.theory.pushforward import log_cells, normal_pieces, pushforward
from gan_jax.update import Array

DATA = mixture(means=(-1.0, 1.2), stds=(0.4, 0.3), weights=(0.6, 0.4))
GRID = cells(-8.0, 8.0, 1600)  # 0.01 wide: a histogram with the exact content of every cell
EDGES = np.linspace(-8.0, 8.0, 1601)
ENDS, MASSES = normal_pieces(4000)
SETTINGS = ((1, "C0"), (2, "C1"), (5, "C2"), (10, "C3"))  # k and its colour
SHOWN_K, SHOWN = 5, (0, 30, 100, 300, 1000, 2000)
BATCH, RATE = 256, 1e-3
MEASURES = ("played", "best", "js", "w1", "lag")


@dataclass(frozen=True)
class Course:
    """What was measured for one k: [T, S] per logged step and seed, and curves [T, N] of the first seed."""

    k: int
    steps: np.ndarray  # of the generator
    played: np.ndarray  # V(D, G) of the pair as it is
    best: np.ndarray  # V(D*, G) = -ln 4 + 2 JS
    js: np.ndarray
    w1: np.ndarray
    lag: np.ndarray  # E |D - D*| under (p + q) / 2
    logits: np.ndarray
    log_q: np.ndarray
    images: np.ndarray  # G at ENDS


def main() -> None:
    """Plays all settings and writes figures and table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=SHOWN[-1], help="of the generator")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()
    courses = [course(k, args.steps, args.seeds) for k, _ in SETTINGS]
    shown = next(c for c in courses if c.k == SHOWN_K)
    draw_panels(shown, args.out / "panels.png")
    draw_value(shown, args.out / "value.png")
    draw_steps(courses, args.out / "steps.png")
    files.write_atomically(args.out / "results.md", table(courses).encode())


def game(k: int) -> GAN:
    """The minimax loss for both players: the generator descends E[ln(1 - D(G(z)))], as algorithm 1 says."""
    return GAN(
        generator=MODELS["mlp_generator"](
            image_shape=(1, 1, 1), widths=(32, 32), activation="silu", norm="none", output="linear"
        ),
        discriminator=MODELS["mlp_discriminator"](widths=(32, 32), activation="silu"),
        generator_tx=adam(RATE, b1=0.5),
        discriminator_tx=adam(RATE, b1=0.5),
        ema_decay=no_average(),
        latent_size=1,
        loss=LOSSES["minimax"](),
        discriminator_steps=k,
    )


def course(k: int, steps: int, seeds: int) -> Course:
    """Trains one game per seed and measures both players exactly as they move."""
    algorithm, draw = game(k), draw_points(DATA, BATCH, k)
    states, advance = begin(algorithm, range(seeds), draw), play(algorithm, draw)
    judge = of_each_seed(logits_on(algorithm, GRID.points))

    def at_ends(state: TrainState) -> Array:
        player, latent = state.generator, jnp.asarray(ENDS[:, None], jnp.float32)
        made = apply_network(
            algorithm.generator, player.params, player.stats, latent, None, key=None, train=False
        )[0]
        return made.reshape(-1)

    generate = of_each_seed(at_ends)
    logged = sorted({*(s for s in SHOWN if s <= steps), *np.linspace(0, steps, 41).astype(int).tolist()})
    log_p, rows, curves = log_density(DATA, GRID), [], []
    for now, before in zip(logged, [0, *logged], strict=False):
        states = advance(states, now - before)
        logits, images = judge(states), generate(states)
        log_q = np.stack([log_cells(pushforward(x, MASSES, EDGES), EDGES) for x in images])
        rows.append([measures(log_p, q, x) for q, x in zip(log_q, logits, strict=True)])
        curves.append((logits[0], log_q[0], images[0]))
    table_ = np.array(rows)  # [T, S, measures]
    found = {name: table_[:, :, n] for n, name in enumerate(MEASURES)}
    logits, log_q, images = (np.array(curve) for curve in zip(*curves, strict=True))
    return Course(k, np.array(logged), **found, logits=logits, log_q=log_q, images=images)


def measures(log_p: np.ndarray, log_q: np.ndarray, logits: np.ndarray) -> list[float]:
    """The MEASURES of one seed."""
    error = np.abs(sigmoid(logits) - sigmoid(optimal_discriminator(log_p, log_q)))
    return [
        value(log_p, log_q, logits, GRID),
        optimal_value(log_p, log_q, GRID),
        js(log_p, log_q, GRID),
        wasserstein_1(log_p, log_q, GRID),
        GRID.integral((np.exp(log_p) + np.exp(log_q)) / 2 * error),
    ]


def table(courses: list[Course]) -> str:
    """Medians over the seeds of the last quarter's means, at the same steps of G and at the same cost."""
    lines = [
        "| k | JS | W1 | mean error of D | V(D, G) | worst JS | JS, same cost | steps of G |",
        "|---|---|---|---|---|---|---|---|",
    ]
    budget = courses[0].steps[-1] * (courses[0].k + 1)  # player updates that the least k makes in all
    for c in courses:
        late, afford = c.steps >= 0.75 * c.steps[-1], budget // (c.k + 1)
        equal = (c.steps >= 0.75 * afford) & (c.steps <= afford)
        means = [rows[late].mean(axis=0) for rows in (c.js, c.w1, c.lag, c.played)]
        cells_ = [
            f"{c.k}",
            *(f"{np.median(x):.4f}" for x in means),
            f"{means[0].max():.4f}",
        ]
        cells_ += [f"{np.median(c.js[equal].mean(axis=0)):.4f}", f"{afford:,}"]
        lines.append(f"| {' | '.join(cells_)} |")
    return "\n".join(lines) + "\n"


def draw_panels(c: Course, path: Path) -> None:
    """As figure 1 of the paper: densities, D and D* over x, and where the latents go."""
    figure = new_figure(10, 6)
    shown = [s for s in SHOWN if s in c.steps]
    axes = figure.subplots(2, 3, sharex=True, sharey=True).ravel()
    x, log_p = GRID.points[:, 0], log_density(DATA, GRID)
    arrows = np.linspace(-2.4, 2.4, 25)
    for ax, step in zip(axes, shown, strict=False):
        index = int(np.flatnonzero(c.steps == step)[0])
        log_q = c.log_q[index]
        ax.fill_between(x, np.exp(log_p), color="k", alpha=0.2, linewidth=0, label="$p_{data}$")
        ax.plot(x, np.exp(log_q), color="C2", label="$p_g$")
        ax.plot(x, sigmoid(c.logits[index]), color="C0", linestyle="--", label="D")
        best = sigmoid(optimal_discriminator(log_p, log_q))
        seen = np.exp(np.logaddexp(log_p, log_q)) > 1e-3
        ax.plot(x, np.where(seen, best, np.nan), color="C0", alpha=0.35, linewidth=4, label="D*")
        ends = np.interp(arrows, ENDS, c.images[index])
        ax.plot(np.stack([arrows, ends]), [[-0.45], [-0.05]], color="k", linewidth=0.5)
        ax.set(title=f"step {step:,}:  JS = {c.js[index, 0]:.3f}", xlim=(-3, 3), ylim=(-0.5, 1.5))
    axes[0].legend(fontsize=8, ncols=2, loc="upper left")
    for ax in axes[3:]:
        ax.set_xlabel("x above, z below")
    save_figure(figure, path, dpi=90)


def draw_value(c: Course, path: Path) -> None:
    """The value of the game as it is played and with the best discriminator."""
    figure = new_figure(8, 3.4)
    ax = figure.subplots()
    median_band(ax, c.steps, c.best, "V(D*, G) = -ln 4 + 2 JS", "C0")
    median_band(ax, c.steps, c.played, f"V(D, G) as played, k = {c.k}", "C1")
    ax.axhline(-math.log(4), color="k", linestyle=":", label="-ln 4: the generator is perfect")
    ax.set(xlabel="step of G", ylabel="value, nats", ylim=(-1.6, -0.5))
    ax.grid(visible=True, alpha=0.3)
    ax.legend(fontsize=8)
    save_figure(figure, path)


def draw_steps(courses: list[Course], path: Path) -> None:
    """What k does: JS by steps of G and by updates of either player, and how far D is from D*."""
    figure = new_figure(12, 3.6)
    axes = figure.subplots(1, 3)
    for c, (_, color) in zip(courses, SETTINGS, strict=True):
        label = f"k = {c.k}"
        median_band(axes[0], c.steps, c.js, label, color, share=0.5)
        median_band(axes[1], c.steps * (c.k + 1), c.js, label, color, share=0.5)
        median_band(axes[2], c.steps, c.lag, label, color, share=0.5)
    axes[1].set_xlim(0, 2 * 2 * courses[0].steps[-1])
    for ax, (xlabel, ylabel) in zip(
        axes,
        (("steps of G", "JS, nats"), ("updates of either player", "JS, nats"), ("steps of G", "E |D - D*|")),
        strict=True,
    ):
        ax.set(xlabel=xlabel, ylabel=ylabel, yscale="log")
        ax.grid(visible=True, alpha=0.3)
        ax.legend(fontsize=8)
    save_figure(figure, path, dpi=90)


if __name__ == "__main__":
    main()
