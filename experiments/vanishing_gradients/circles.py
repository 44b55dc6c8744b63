"""Supports that do not meet: two circles around one centre. Writes circles.png and circles.md.

The data lie on a circle of radius 2, the generator makes one of radius 1, and the radius is its only
parameter.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.core.update import Array, Batch, Key
from gan_jax.losses.adversarial import LOSSES
from gan_jax.losses.penalties import WGANGP, Penalty
from gan_jax.models import MODELS
from gan_jax.optim.optimizers import Transformation, adam, no_average, rmsprop
from gan_jax.summaries.plotting import median_band, new_figure, save_figure
from gan_jax.theory.fixed import FixedGenerator
from gan_jax.theory.gradients import GradientStatistics, follow_gradients
from gan_jax.theory.playing import as_points, begin
from gan_jax.utils import files

RADIUS, START, BATCH = 2.0, 1.0, 256
GAN_LOSSES = {name: LOSSES[name]() for name in ("minimax", "non_saturating")}


class Circle(nn.Module):
    """Latents [B, 1] in [-1, 1) -> points [B, 1, 1, 2] on a circle; the radius is the parameter."""

    axis_name: str | None = None
    conditional = False
    num_classes = None

    @nn.compact
    def __call__(self, latent: Array, label: Array | None, train: bool) -> Array:
        radius = self.param("radius", lambda key: jnp.float32(START))
        return as_points(radius * on_circle(latent))


def on_circle(turns: Array) -> Array:
    """[B, 1] in [-1, 1) -> points [B, 2] of the unit circle."""
    return jnp.concatenate([jnp.cos(jnp.pi * turns), jnp.sin(jnp.pi * turns)], axis=1)


def draw(key: Key) -> Batch:
    """A mini-batch of the data."""
    turns = jax.random.uniform(key, (BATCH, 1), minval=-1.0)
    return {"image": as_points(RADIUS * on_circle(turns))[None]}


def main() -> None:
    """Trains all judges of the generator and writes figure and table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()
    logged = sorted({0, *np.geomspace(1, args.steps, 22).astype(int).tolist()})
    critic = {"wasserstein": LOSSES["wasserstein"]()}
    gan = adam(1e-3, b1=0.5)
    found = follow(game("minimax", gan), GAN_LOSSES, args.seeds, logged)
    penalty = WGANGP(weight=10.0)
    found["gradient penalty"] = follow(game("wasserstein", gan, penalty), critic, args.seeds, logged)[
        "wasserstein"
    ]
    clipped = game("wasserstein", rmsprop(5e-4, weight_clip=0.1))
    found["clipped"] = follow(clipped, critic, args.seeds, logged)["wasserstein"]
    draw_norms(found, logged, args.out / "circles.png")
    files.write_atomically(args.out / "circles.md", table(found, logged).encode())


def game(loss: str, tx: Transformation, *penalties: Penalty) -> FixedGenerator:
    """A discriminator or critic of two hidden layers against the circle."""
    return FixedGenerator(
        generator=Circle(),
        discriminator=MODELS["mlp_discriminator"](widths=(64, 64)),
        generator_tx=adam(1e-3),
        discriminator_tx=tx,
        ema_decay=no_average(),
        latent_size=1,
        latent="uniform",
        loss=LOSSES[loss](),
        penalties=penalties,
    )


def follow(
    algorithm: FixedGenerator, losses: dict, seeds: int, logged: list[int]
) -> dict[str, GradientStatistics]:
    """The gradient with respect to the radius, over 32 mini-batches at every logged step."""
    states = begin(algorithm, range(seeds), draw)
    return follow_gradients(algorithm, losses, states, draw, logged, minibatches=32)


def draw_norms(found: dict[str, GradientStatistics], logged: list[int], path: Path) -> None:
    """The gradient's size against the step of the discriminator."""
    figure = new_figure(7, 3.8)
    axes = figure.subplots()
    for n, (name, statistics) in enumerate(found.items()):
        label = name.replace("_", "-")
        label = f"Wasserstein, {label}" if n > 1 else label
        median_band(axes, np.maximum(logged, 0.7), np.asarray(statistics.mean_norm), label, f"C{n}")
    axes.axhline(1.0, color="k", linestyle=":", linewidth=1, label="d W1 / d radius, exact")
    axes.set(xscale="log", yscale="log", xlabel="step of D or the critic", ylabel="|d loss / d radius|")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8, loc="lower left")
    save_figure(figure, path)


def table(found: dict[str, GradientStatistics], logged: list[int]) -> str:
    """Medians over the seeds, and their range, at the start and later."""
    last = len(logged) - 1
    shown = [0, *(min(int(np.searchsorted(logged, s)), last) for s in (30, 300)), last]
    header = " | ".join(f"step {logged[i]:,}" for i in shown)
    lines = [f"| loss | {header} | range at the end |", "|---|" + "---|" * (len(shown) + 1)]
    for name, statistics in found.items():
        rows = np.asarray(statistics.mean_norm)
        cells = [f"{np.median(rows[i]):.2e}" for i in shown]
        lines.append(f"| {name} | {' | '.join(cells)} | {rows[-1].min():.1e} to {rows[-1].max():.1e} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
