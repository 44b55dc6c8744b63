"""Figures 2 and 3 of Arjovsky and Bottou 2017 on MNIST: a generator is frozen, a new D is trained.

Writes mnist.png and mnist.md beside this file (or into --out).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import data
from gan_jax.algorithms.gan import GAN
from gan_jax.core.state import TrainState
from gan_jax.core.update import Batch, Key
from gan_jax.losses.adversarial import LOSSES
from gan_jax.losses.penalties import WGANGP, Penalty
from gan_jax.models import MODELS
from gan_jax.optim.optimizers import Transformation, adam, no_average
from gan_jax.summaries.plotting import median_band, new_figure, save_figure
from gan_jax.theory.fixed import FixedGenerator
from gan_jax.theory.gradients import GradientStatistics, follow_gradients
from gan_jax.theory.playing import Draw, begin, play
from gan_jax.utils import files

BATCH, MINIBATCHES = 64, 12
EPOCH = 60_000 // BATCH  # steps
GAN_LOSSES = {name: LOSSES[name]() for name in ("minimax", "non_saturating")}
CRITIC_LOSSES = {"wasserstein": LOSSES["wasserstein"]()}
Found = dict[str, GradientStatistics]


def main() -> None:
    """Trains the generators, then judges of each stage; writes figure and table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 2, 4], help="stages of the generator")
    parser.add_argument("--steps", type=int, default=500, help="of the new discriminator")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()
    logged = sorted({0, *np.geomspace(1, args.steps, 13).astype(int).tolist()})
    draw = digits()
    whole = game(GAN, "non_saturating", adam(2e-4, b1=0.5))
    states, advance, done = begin(whole, range(args.seeds), draw), play(whole, draw), 0
    stages: dict[int, Found] = {}
    for epochs in sorted(args.epochs):
        states, done = advance(states, (epochs - done) * EPOCH), epochs
        stages[epochs] = judged(states, draw, args.seeds, logged)
    draw_stages(stages, logged, args.out / "mnist.png")
    files.write_atomically(args.out / "mnist.md", table(stages, logged).encode())


def digits() -> Draw:
    """Mini-batches of MNIST's training images, drawn with replacement."""
    images = jnp.asarray(data.load("mnist").arrays()["image"])

    def draw(key: Key) -> Batch:
        chosen = images[jax.random.randint(key, (1, BATCH), 0, len(images))]
        return {"image": data.to_float(chosen)}

    return draw


def game(kind: type[GAN], loss: str, tx: Transformation, *penalties: Penalty) -> GAN:
    """Two fully connected networks for 28 x 28 images."""
    return kind(
        generator=MODELS["mlp_generator"](image_shape=(28, 28, 1), widths=(128, 256), norm="batch"),
        discriminator=MODELS["mlp_discriminator"](widths=(128, 128)),
        generator_tx=adam(2e-4, b1=0.5),
        discriminator_tx=tx,
        ema_decay=no_average(),
        latent_size=64,
        loss=LOSSES[loss](),
        penalties=penalties,
    )


def judged(states: TrainState, draw: Draw, seeds: int, logged: list[int]) -> Found:
    """What new discriminators and critics hand to these generators, which stand still."""
    found: Found = {}
    gan = game(FixedGenerator, "non_saturating", adam(2e-4, b1=0.5))
    critic = game(FixedGenerator, "wasserstein", adam(2e-4, b1=0.5), WGANGP(weight=10.0))
    for algorithm, losses in ((gan, GAN_LOSSES), (critic, CRITIC_LOSSES)):
        fresh = begin(algorithm, range(1000, 1000 + seeds), draw)
        fresh = fresh.replace(generator=states.generator)
        found |= follow_gradients(algorithm, losses, fresh, draw, logged, MINIBATCHES)
    return found


def draw_stages(stages: dict[int, Found], logged: list[int], path: Path) -> None:
    """Size and spread of the gradients against the step of the new D, one colour for each stage."""
    figure = new_figure(12, 6.4)
    axes = figure.subplots(2, 3, sharex=True)
    steps = np.maximum(logged, 0.7)
    for n, (epochs, found) in enumerate(stages.items()):
        label = f"after {epochs} epoch{'s' if epochs > 1 else ''}"
        for column, name in enumerate((*GAN_LOSSES, *CRITIC_LOSSES)):
            statistics = found[name]
            median_band(axes[0][column], steps, np.asarray(statistics.norm), label, f"C{n}")
            median_band(axes[1][column], steps, np.asarray(statistics.variance), label, f"C{n}")
    titles = ("minimax, ln(1 - D)", "non-saturating, -ln D", "Wasserstein, gradient penalty")
    for column, title in enumerate(titles):
        axes[0][column].set(title=title, yscale="log", xscale="log")
        axes[1][column].set(yscale="log", xscale="log", xlabel="step of the new D or critic")
        for ax in axes[:, column]:
            ax.grid(visible=True, alpha=0.3)
    axes[0][0].set_ylabel("norm of the gradient")
    axes[1][0].set_ylabel("variance over mini-batches")
    axes[0][0].legend(fontsize=8)
    save_figure(figure, path, dpi=80)


def table(stages: dict[int, Found], logged: list[int]) -> str:
    """Medians over the seeds."""
    last = len(logged) - 1
    shown = [0, min(int(np.searchsorted(logged, 30)), last), last]
    header = " | ".join(f"norm, step {logged[i]:,}" for i in shown)
    lines = [f"| generator | loss | {header} | variance, start | variance, end | noise / signal, end |"]
    lines.append("|---|---|" + "---|" * (len(shown) + 3))
    for epochs, found in stages.items():
        for name, statistics in found.items():
            norm, variance = np.asarray(statistics.norm), np.asarray(statistics.variance)
            cells = [f"{np.median(norm[i]):.2e}" for i in shown]
            cells += [f"{np.median(variance[i]):.2e}" for i in (0, -1)]
            cells.append(f"{np.median(np.asarray(statistics.noise_to_signal)[-1]):.2f}")
            lines.append(f"| {epochs} ep. | {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
