"""Algorithm 1 of the first GAN paper on a line, where the generator's density is known at every step.

Writes panels.png, value.png, steps.png, wrong.png and results.md beside this file (or into --out).
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from scipy.special import expit

from gan_jax.algorithms.gan import GAN
from gan_jax.core.algorithm import apply_network
from gan_jax.core.state import TrainState
from gan_jax.core.update import Array
from gan_jax.densities import mixture
from gan_jax.losses.adversarial import LOSSES
from gan_jax.models import MODELS
from gan_jax.optim.optimizers import adam, no_average
from gan_jax.optim.schedules import constant, cosine
from gan_jax.summaries.plotting import median_band, new_figure, save_figure
from gan_jax.theory.divergences import js
from gan_jax.theory.grid import cells, log_density
from gan_jax.theory.optimal import optimal_discriminator, optimal_value, value, value_gap
from gan_jax.theory.playing import begin, draw_points, logits_on, of_each_seed, play
from gan_jax.theory.pushforward import log_cells, normal_pieces, pushforward
from gan_jax.utils import files

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DATA = mixture(means=(-1.0, 1.0), stds=(0.5, 0.5), weights=(0.6, 0.4))
GRID = cells(-8.0, 8.0, 1600)  # 0.01 wide: a histogram with the exact content of every cell
EDGES = np.linspace(-8.0, 8.0, 1601)
LOG_P = log_density(DATA, GRID)
ENDS, MASSES = normal_pieces(4000)
WIDTHS, BATCH = (32, 32), 256
SETTINGS = ((1, "C0"), (2, "C1"), (5, "C2"), (10, "C3"))  # k and its colour
SHOWN_K, SHOWN = 5, (0, 30, 100, 200, 400, 1500)
NEAR = 0.01  # nats of JS below which a run counts as arrived
MEASURES = ("played", "best", "gap", "js", "lag", "half", "folds")


@dataclass(frozen=True)
class Setup:
    """How the game is played: k, steps of G, and what the last part of the page leaves out."""

    k: int
    steps: int
    residual: bool = True  # G starts as x = z + 1 and not as a point
    rates: tuple[float, float] = (7e-4, 7e-3)  # of G and of D
    falling: bool = True  # rates on half a cosine down to a hundredth

    @property
    def updates(self) -> int:
        """Of both players together."""
        return self.steps * (self.k + 1)


@dataclass(frozen=True)
class Course:
    """What was measured: [T, S] for each logged step and seed; curves [T, N] of a typical seed."""

    setup: Setup
    steps: np.ndarray  # of the generator
    played: np.ndarray  # V(D, G) of the pair as it is
    best: np.ndarray  # V(D*, G) = -ln 4 + 2 JS
    gap: np.ndarray  # V(D*, G) - V(D, G)
    js: np.ndarray
    lag: np.ndarray  # E |D - D*| under (p + q) / 2
    half: np.ndarray  # E |D - 1/2|, likewise
    folds: np.ndarray  # how often G turns back within three standard deviations of z
    seed: int  # the one whose JS at the end is the median
    logits: np.ndarray
    log_q: np.ndarray
    images: np.ndarray  # G at ENDS


class ResidualGenerator(nn.Module):
    """x = z + 1 + MLP(z) for latents [B, 1]; the last layer starts at 0, so that p_g starts as N(1, 1)."""

    conditional = False

    @nn.compact
    def __call__(self, latent: Array, label: Array | None, train: bool) -> Array:
        x = latent
        for width in WIDTHS:
            x = nn.silu(nn.Dense(width)(x))
        return (latent + 1.0 + nn.Dense(1, kernel_init=nn.initializers.zeros)(x)).reshape(-1, 1, 1, 1)


def main() -> None:
    """Plays all settings and writes figures and tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=SHOWN[-1], help="of the generator")
    parser.add_argument("--seeds", type=int, default=10, help="for each k; half as many for the last part")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()
    shown = Setup(SHOWN_K, args.steps)
    same_steps = [course(replace(shown, k=k), args.seeds) for k, _ in SETTINGS]
    main_course = next(c for c in same_steps if c.setup == shown)
    # Each with a schedule of its own length: to stop another's early would leave its rates high.
    costs = [Setup(k, shown.updates // (k + 1)) for k, _ in SETTINGS]
    same_cost = [main_course if s == shown else course(s, args.seeds) for s in costs]
    without = {
        "constant rates": replace(shown, falling=False),
        "D as slow as G": replace(shown, rates=(7e-4, 7e-4)),
        "plain generator": replace(shown, residual=False),
        "all three": Setup(SHOWN_K, args.steps, residual=False, rates=(1e-3, 1e-3), falling=False),
    }
    changed = {name: course(s, max(1, args.seeds // 2)) for name, s in without.items()}
    draw_panels(main_course, args.out / "panels.png")
    draw_value(main_course, args.out / "value.png")
    draw_steps(same_steps, same_cost, args.out / "steps.png")
    draw_wrong(main_course, changed, same_steps[0], args.out / "wrong.png")
    parts = [by_k("Equal steps", same_steps), by_k("Equal cost", same_cost)]
    parts.append(table("Changed, k = 5", {"as above": main_course, **changed}))
    files.write_atomically(args.out / "results.md", "\n".join(parts).encode())


def game(s: Setup) -> GAN:
    """The minimax loss for both players: the generator descends E[ln(1 - D(G(z)))], as algorithm 1 says."""
    plain = MODELS["mlp_generator"](
        image_shape=(1, 1, 1), widths=WIDTHS, activation="silu", norm="none", output="linear"
    )
    schedules = [cosine(r, r / 100, s.steps) if s.falling else constant(r) for r in s.rates]
    return GAN(
        generator=ResidualGenerator() if s.residual else plain,
        discriminator=MODELS["mlp_discriminator"](widths=WIDTHS, activation="silu"),
        generator_tx=adam(schedules[0], b1=0.5),
        discriminator_tx=adam(schedules[1], b1=0.5),
        ema_decay=no_average(),
        latent_size=1,
        loss=LOSSES["minimax"](),
        discriminator_steps=s.k,
    )


def course(s: Setup, seeds: int) -> Course:
    """Trains one game per seed and measures both players exactly as they move."""
    algorithm, draw = game(s), draw_points(DATA, BATCH, s.k)
    states, advance = begin(algorithm, range(seeds), draw), play(algorithm, draw)
    judge = of_each_seed(logits_on(algorithm, GRID.points))

    def at_ends(state: TrainState) -> Array:
        player, latent = state.generator, jnp.asarray(ENDS[:, None], jnp.float32)
        made = apply_network(
            algorithm.generator, player.params, player.stats, latent, None, key=None, train=False
        )[0]
        return made.reshape(-1)

    generate = of_each_seed(at_ends)
    logged = sorted({*(n for n in SHOWN if n <= s.steps), *np.linspace(0, s.steps, 61).astype(int).tolist()})
    rows, curves = [], []
    for now, before in zip(logged, [0, *logged], strict=False):
        states = advance(states, now - before)
        logits, images = judge(states), generate(states)
        log_q = np.stack([log_cells(pushforward(x, MASSES, EDGES), EDGES) for x in images])
        rows.append([measures(*seed) for seed in zip(log_q, logits, images, strict=True)])
        curves.append((logits, log_q, images))
    found = dict(zip(MEASURES, np.moveaxis(np.array(rows), 2, 0), strict=True))
    seed = int(np.argsort(found["js"][-1])[seeds // 2])
    logits, log_q, images = (np.array([x[seed] for x in kind]) for kind in zip(*curves, strict=True))
    return Course(s, np.array(logged), **found, seed=seed, logits=logits, log_q=log_q, images=images)


def measures(log_q: np.ndarray, logits: np.ndarray, images: np.ndarray) -> list[float]:
    """The MEASURES of one seed."""
    both, d = (np.exp(LOG_P) + np.exp(log_q)) / 2, expit(np.float64(logits))
    slopes = np.diff(images[np.abs(ENDS) <= 3.0][::10])
    return [
        value(LOG_P, log_q, logits, GRID),
        optimal_value(LOG_P, log_q, GRID),
        value_gap(LOG_P, log_q, logits, GRID),
        js(LOG_P, log_q, GRID),
        GRID.integral(both * np.abs(d - expit(optimal_discriminator(LOG_P, log_q)))),
        GRID.integral(both * np.abs(d - 0.5)),
        float(np.count_nonzero(np.diff(np.sign(slopes)))),
    ]


def by_k(title: str, courses: list[Course]) -> str:
    """`table` with a row for each k."""
    return table(title, {f"k = {c.setup.k}": c for c in courses})


def table(title: str, courses: dict[str, Course]) -> str:
    """Means over the last tenth of the run; medians over the seeds of these, but for the counts."""
    lines = [
        f"| {title} | steps of G | JS | best to worst | arrived | folded | E\\|D - D*\\| | E\\|D - 1/2\\| "
        "| V(D, G) | V(D*, G) |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, c in courses.items():
        late = c.steps >= 0.9 * c.steps[-1]
        ends, seeds = c.js[late].mean(axis=0), c.js.shape[1]
        lag, half, played, best = (
            f"{np.median(rows[late].mean(axis=0)):.4f}" for rows in (c.lag, c.half, c.played, c.best)
        )
        cells_ = [
            name,
            f"{c.setup.steps:,}",
            f"{np.median(ends):.4f}",
            f"{ends.min():.4f} to {ends.max():.4f}",
        ]
        cells_ += [f"{(ends < NEAR).sum()} of {seeds}", f"{(c.folds[-1] > 0).sum()} of {seeds}"]
        lines.append(f"| {' | '.join([*cells_, lag, half, played, best])} |")
    return "\n".join(lines) + "\n"


def draw_game(ax: Axes, c: Course, index: int, title: str) -> None:
    """As figure 1 of the paper: densities, D and D* over x, and where the latents go."""
    x, log_q = GRID.points[:, 0], c.log_q[index]
    ax.fill_between(x, np.exp(LOG_P), color="k", alpha=0.2, linewidth=0, label="$p_{data}$")
    ax.plot(x, np.exp(log_q), color="C2", label="$p_g$")
    best = expit(optimal_discriminator(LOG_P, log_q))
    seen = np.exp(np.logaddexp(LOG_P, log_q)) > 1e-2
    ax.plot(x, np.where(seen, best, np.nan), color="C0", alpha=0.35, linewidth=4, label="D*")
    ax.plot(x, expit(c.logits[index]), color="C0", linestyle="--", label="D")
    ax.axhline(0.5, color="k", linewidth=0.5, linestyle=":")
    arrows = np.linspace(-2.4, 2.4, 25)
    ends = np.interp(arrows, ENDS, c.images[index])
    ax.plot(np.stack([arrows, ends]), [[-0.45], [-0.05]], color="k", linewidth=0.5)
    ax.set(title=f"{title}:  JS = {c.js[index, c.seed]:.4f}", xlim=(-3, 3.5), ylim=(-0.5, 1.3))


def draw_panels(c: Course, path: Path) -> None:
    """The game at six steps."""
    figure = new_figure(10, 5.6)
    shown = [n for n in SHOWN if n in c.steps]
    axes = figure.subplots(2, 3, sharex=True, sharey=True).ravel()
    for ax, step in zip(axes, shown, strict=False):
        draw_game(ax, c, int(np.flatnonzero(c.steps == step)[0]), f"step {step:,}")
    axes[0].legend(fontsize=8, ncols=4, loc="upper center", columnspacing=1, handlelength=1.5)
    for ax in axes[3:]:
        ax.set_xlabel("x above, z below")
    save_figure(figure, path, dpi=90)


def draw_value(c: Course, path: Path) -> None:
    """The value of the game as it is played and with the best discriminator; how far each has to go."""
    figure = new_figure(11, 3.6)
    values, rests = figure.subplots(1, 2)
    median_band(values, c.steps, c.best, "V(D*, G) = -ln 4 + 2 JS", "C0")
    median_band(values, c.steps, c.played, "V(D, G) as played", "C1")
    values.axhline(-math.log(4), color="k", linestyle=":", label="-ln 4")
    values.set(xlabel="step of G", ylabel="value, nats", ylim=(-1.45, -1.0))
    median_band(rests, c.steps, c.best + math.log(4), "V(D*, G) + ln 4 = 2 JS: what G lacks", "C0")
    median_band(rests, c.steps, c.gap, "V(D*, G) - V(D, G): what D lacks", "C1")
    rests.set(xlabel="step of G", ylabel="nats", yscale="log")
    for ax in (values, rests):
        ax.grid(visible=True, alpha=0.3)
        ax.legend(fontsize=8)
    save_figure(figure, path)


def draw_steps(same_steps: list[Course], same_cost: list[Course], path: Path) -> None:
    """What k does: JS by steps of G and by updates of either player, and how far D is from D*."""
    figure = new_figure(12, 3.8)
    axes = figure.subplots(1, 3)
    for c, dear, (k, color) in zip(same_steps, same_cost, SETTINGS, strict=True):
        median_band(axes[0], c.steps, c.js, f"k = {k}", color, share=0.5)
        median_band(axes[1], c.steps, c.lag, f"k = {k}", color, share=0.5)
        label = f"k = {k}, {dear.setup.steps:,} steps of G"
        median_band(axes[2], dear.steps * (k + 1), dear.js, label, color, share=0.5)
    axes[0].set(title="equal steps of G", xlabel="steps of G", ylabel="JS, nats")
    axes[1].set(title="the same runs", xlabel="steps of G", ylabel="E |D - D*|")
    axes[2].set(title="equal cost", xlabel="updates of either player", ylabel="JS, nats")
    for ax in axes:
        ax.set(yscale="log", ylim=(1.5e-3, 0.9))
        ax.grid(visible=True, alpha=0.3)
        ax.legend(fontsize=8, loc="lower left" if ax is axes[1] else "upper right")
    save_figure(figure, path, dpi=90)


def draw_wrong(c: Course, changed: dict[str, Course], least: Course, path: Path) -> None:
    """JS where one part of the set-up is left out, and two ends that are none."""
    figure = new_figure(12, 3.8)
    axes = figure.subplots(1, 3)
    median_band(axes[0], c.steps, c.js, "as above", "C2")
    for (name, other), color in zip(changed.items(), ("C0", "C4", "C1", "C3"), strict=True):
        median_band(axes[0], other.steps, other.js, name, color)
    axes[0].set(title=f"k = {c.setup.k}", xlabel="steps of G", ylabel="JS, nats", yscale="log")
    axes[0].set_ylim(1.5e-3, 2.5)
    axes[0].grid(visible=True, alpha=0.3)
    axes[0].legend(fontsize=8, ncols=2, loc="upper right")
    draw_game(axes[1], least, -1, f"k = {least.setup.k}, the end")
    name, last = list(changed.items())[-1]
    draw_game(axes[2], last, -1, f"{name}, the end")
    for ax in axes[1:]:
        ax.set_xlabel("x above, z below")
    axes[1].legend(fontsize=8, ncols=4, loc="upper center")
    save_figure(figure, path, dpi=90)


if __name__ == "__main__":
    main()
