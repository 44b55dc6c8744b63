"""Two parallel lines: what divergences say, what discriminators learn of it, and which generators move.

    python experiments/parallel_lines/run.py

writes divergences.png, estimates.png, paths.png and results.md beside this file.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.algorithms.gan import GAN
from gan_jax.core.algorithm import apply_network
from gan_jax.core.state import TrainState
from gan_jax.densities.lines import Line
from gan_jax.losses.adversarial import LOSSES
from gan_jax.losses.penalties import WGANGP
from gan_jax.models.mlp import MLPDiscriminator
from gan_jax.optim.optimizers import adam, no_average, sgd
from gan_jax.summaries.plotting import new_figure, save_figure
from gan_jax.theory import parallel_lines as lines
from gan_jax.theory import playing
from gan_jax.theory.fixed import FixedGenerator
from gan_jax.utils import files

WIDTH = 32  # of the discriminator's two hidden layers
BATCH = 64
DISCRIMINATOR_STEPS = 30  # between two steps of the generator
RATE = 0.04  # the generator's, plain gradient descent
NOISE = 0.5
PENALTY = 1.0  # weight of the gradient penalty
LIMIT = 0.1  # of the clipped weights
STARTS = (-1.0, 0.25, 0.5)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A way of training; `slope` is what the theory says that the generator feels, None where nothing."""

    title: str
    loss: str
    noise: float = 0.0
    penalty: float = 0.0
    limit: float = 0.0
    slope: Callable[[float], float] | None = None

    def build(self, kind: type[GAN]) -> GAN:
        """The game, or with FixedGenerator the discriminator's half of it."""
        return kind(
            generator=lines.LineGenerator(),
            discriminator=MLPDiscriminator(widths=(WIDTH, WIDTH)),
            generator_tx=sgd(RATE),
            discriminator_tx=adam(2e-3, 0.5, 0.9, weight_clip=self.limit),
            ema_decay=no_average(),
            latent_size=1,
            latent="uniform",
            loss=LOSSES[self.loss](),
            instance_noise=self.noise,
            penalties=(WGANGP(weight=self.penalty),) if self.penalty else (),
            discriminator_steps=DISCRIMINATOR_STEPS,
        )


def steepest(limit: float) -> float:
    """The largest slope in x of the discriminator with all weights in [-limit, limit]: WIDTH^2 limit^3."""
    return WIDTH**2 * limit**3


def clipped_slope(theta: float) -> float:
    """What a generator feels from the steepest clipped critic."""
    return steepest(LIMIT) * float(np.sign(theta))


def penalised_slope(theta: float) -> float:
    """Likewise from the best one under the gradient penalty."""
    return lines.penalised_steepness(theta, PENALTY) * float(np.sign(theta))


GAMES = (
    Case(title="minimax", loss="minimax", slope=lambda theta: 0.0),
    Case(title="non-saturating", loss="non_saturating"),
    Case(
        title="WGAN, clipped",
        loss="wasserstein",
        limit=LIMIT,
        slope=clipped_slope,
    ),
    Case(
        title="minimax + noise",
        loss="minimax",
        noise=NOISE,
        slope=partial(lines.minimax_slope, noise=NOISE),
    ),
    Case(
        title="non-saturating + noise",
        loss="non_saturating",
        noise=NOISE,
        slope=partial(lines.non_saturating_slope, noise=NOISE),
    ),
    Case(title="WGAN-GP", loss="wasserstein", penalty=PENALTY, slope=penalised_slope),
)
ESTIMATES = (
    Case(title="discriminator", loss="minimax"),
    Case(title="discriminator + noise", loss="minimax", noise=NOISE),
    Case(title="WGAN-GP", loss="wasserstein", penalty=PENALTY),
    *(Case(title=f"clipped at {limit}", loss="wasserstein", limit=limit) for limit in (0.05, 0.1, 0.2)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="training seeds of each start")
    parser.add_argument("--steps", type=int, default=50, help="of the generator")
    parser.add_argument("--rounds", type=int, default=60, help="of 30 discriminator steps, of the estimates")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()
    draw_divergences(args.out / "divergences.png")
    thetas = np.linspace(-1.0, 1.0, 6)
    found = {case.title: estimates(case, thetas, args.rounds, max(args.seeds // 3, 1)) for case in ESTIMATES}
    draw_estimates(thetas, found, args.out / "estimates.png")
    results = args.out / "results.md"
    files.write_atomically(results, (estimate_table(thetas, found) + "\n").encode())
    paths = {case.title: generator_paths(case, args.steps, args.seeds) for case in GAMES}
    draw_paths(paths, args.out / "paths.png")
    tables = estimate_table(thetas, found), path_table(paths)
    files.write_atomically(results, ("\n\n".join(tables) + "\n").encode())


# Training


def begin(algorithm: GAN, thetas: np.ndarray) -> TrainState:
    """A state for each theta, seeds 0, 1, ..."""
    draw = playing.draw_points(Line(), BATCH, algorithm.minibatches)
    states = playing.begin(algorithm, range(len(thetas)), draw)
    return states.replace(generator=states.generator.replace(params={"theta": jnp.float32(thetas)}))


def player(algorithm: GAN) -> Callable[[TrainState, int], TrainState]:
    """Plays steps on fresh draws from the line at 0."""
    return playing.play(algorithm, playing.draw_points(Line(), BATCH, algorithm.minibatches))


def generator_paths(case: Case, steps: int, seeds: int) -> np.ndarray:
    """theta of every start and seed, [steps + 1, starts, seeds]; first the discriminator alone is trained."""
    thetas = np.repeat(STARTS, seeds)
    fixed, both = case.build(FixedGenerator), case.build(GAN)
    states = player(fixed)(begin(fixed, thetas), 15).replace(step=jnp.int32(0))
    play, path = player(both), [thetas]
    for _ in range(steps):
        states = play(states, 1)
        path.append(np.asarray(states.generator.params["theta"]))
    return np.array(path).reshape(steps + 1, len(STARTS), seeds)


def estimates(case: Case, thetas: np.ndarray, rounds: int, seeds: int) -> np.ndarray:
    """What the trained discriminator says of the distance, [thetas, seeds].

    The Jensen-Shannon divergence for the cross entropy, else the difference of the critic's means.
    """
    algorithm = case.build(FixedGenerator)
    states = player(algorithm)(begin(algorithm, np.repeat(thetas, seeds)), rounds)
    found = playing.of_each_seed(partial(estimate, algorithm, case))(states)
    return found.reshape(len(thetas), seeds)


def estimate(algorithm: GAN, case: Case, state: TrainState) -> jax.Array:
    """One state's, on 8192 points of each line that training has not seen."""
    real_key, fake_key = jax.random.split(jax.random.key(12345))
    real, fake = (
        Line(noise=case.noise).sample(key, 8192) + jnp.array([offset, 0.0])
        for key, offset in ((real_key, 0.0), (fake_key, state.generator.params["theta"]))
    )
    judge = partial(apply_network, algorithm.discriminator, state.discriminator.params, {})
    scores = [judge(playing.as_points(x), None, key=None, train=False)[0] for x in (real, fake)]
    loss = algorithm.loss.discriminator(scores[0], scores[1])
    return math.log(2) - loss / 2 if case.loss == "minimax" else -loss


# Tables and figures


def estimate_table(thetas: np.ndarray, found: dict[str, np.ndarray]) -> str:
    """At the smallest and the largest distance: mean, least and most over both signs and all seeds."""
    rows = [
        "| trained | at theta = +- 0.2 | at theta = +- 1 | closed form | at 0.2 | at 1 |",
        "|---|---|---|---|---:|---:|",
    ]
    for case in ESTIMATES:
        name, closed = closed_form(case)
        cells = []
        for size in (0.2, 1.0):
            values = found[case.title][np.isclose(np.abs(thetas), size)]
            cells.append(f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})")
        cells += [name, f"{closed(0.2):.3f}", f"{closed(1.0):.3f}"]
        rows.append(f"| {case.title} | {' | '.join(cells)} |")
    return "\n".join(rows)


def closed_form(case: Case) -> tuple[str, Callable[[float], float]]:
    """What the estimate should be: its name, and as a function of theta."""
    if case.loss == "minimax":
        return ("JS with noise" if case.noise else "ln 2"), partial(lines.jensen_shannon, noise=case.noise)
    if case.limit:
        factor = steepest(case.limit)
        return f"{factor:.3g} times W", lambda theta: factor * lines.earth_mover(theta)
    return "W with the penalty's excess", partial(lines.penalised_earth_mover, weight=case.penalty)


def path_table(paths: dict[str, np.ndarray]) -> str:
    """From all starts: how far they are at the end, and how many have arrived."""
    rows = [
        "| training | median distance at the end | largest | runs within 0.05 | largest on the way |",
        "|---|---:|---:|---:|---:|",
    ]
    for title, path in paths.items():
        end = np.abs(path[-1]).ravel()
        near = f"{(end < 0.05).sum()} of {end.size}"
        rows.append(
            f"| {title} | {np.median(end):.3f} | {end.max():.3f} | {near} | {np.abs(path).max():.2f} |"
        )
    return "\n".join(rows)


def draw_divergences(path: Path) -> None:
    """All of them against theta, without noise and with."""
    figure = new_figure(10, 3.6)
    thetas = np.linspace(-1.5, 1.5, 301)
    for axes, noise in zip(figure.subplots(1, 2, sharey=True), (0.0, NOISE), strict=True):
        drawn: dict[str, Callable[[float], float]] = {
            "W": lines.earth_mover,
            "JS": partial(lines.jensen_shannon, noise=noise),
            "total variation": partial(lines.total_variation, noise=noise),
            "KL": partial(lines.kl, noise=noise),
        }
        for name, function in drawn.items():
            values = [function(float(theta)) if abs(theta) > 1e-9 else 0.0 for theta in thetas]
            label = f"{name} (infinite off 0)" if name == "KL" and not noise else name
            axes.plot(thetas, values, label=label)
        axes.set(xlabel="theta", title=f"noise {noise:g}", ylim=(-0.05, 2.0))
        axes.grid(visible=True, alpha=0.3)
        axes.legend(loc="upper center", fontsize=8)
    save_figure(figure, path, dpi=80)


def draw_estimates(thetas: np.ndarray, found: dict[str, np.ndarray], path: Path) -> None:
    """Dots: every seed; lines: the closed forms."""
    figure = new_figure(10, 3.8)
    left, right = figure.subplots(1, 2)
    fine = np.linspace(-1.0, 1.0, 200)  # 0 is not among them
    for number, case in enumerate(ESTIMATES):
        axes, color = (left if case.loss == "minimax" else right), f"C{number}"
        name, closed = closed_form(case)
        scale = steepest(case.limit) if case.limit else 1.0
        label = f"{case.title}, divided by {scale:.3g}" if case.limit else case.title
        values = found[case.title] / scale
        axes.plot(
            np.repeat(thetas, values.shape[1]), values.ravel(), ".", color=color, markersize=4, label=label
        )
        if not case.limit:
            axes.plot(fine, [closed(float(t)) for t in fine], color=color, linewidth=1.0, label=name)
    left.set(ylabel="estimate of JS [nats]", xlabel="theta", title="what a discriminator's loss says")
    right.set(ylabel="E f(real) - E f(fake)", xlabel="theta", title="what a critic says")
    for axes in (left, right):
        axes.grid(visible=True, alpha=0.3)
        axes.legend(fontsize=8)
    right.plot(fine, np.abs(fine), color="black", linewidth=1.0, label="W")
    right.legend(fontsize=8)
    save_figure(figure, path, dpi=80)


def draw_paths(paths: dict[str, np.ndarray], path: Path) -> None:
    """theta against the step for every run; the theory's path dashed."""
    figure = new_figure(12, 6)
    for axes, case in zip(figure.subplots(2, 3, sharex=True, sharey=True).ravel(), GAMES, strict=True):
        runs = paths[case.title]
        for number, start in enumerate(STARTS):
            axes.plot(runs[:, number], color=f"C{number}", linewidth=0.5, alpha=0.6)
            if case.slope is not None:
                theory = lines.descend(case.slope, start, RATE, len(runs) - 1)
                axes.plot(theory, "--", color="black", linewidth=1.2)
        axes.set(title=case.title, ylim=(-1.6, 1.6))
        axes.grid(visible=True, alpha=0.3)
        if axes.get_subplotspec().is_last_row():
            axes.set_xlabel("generator's step")
        if axes.get_subplotspec().is_first_col():
            axes.set_ylabel("theta")
    save_figure(figure, path, dpi=80)


if __name__ == "__main__":
    main()
