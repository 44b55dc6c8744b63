"""The Dirac-GAN under every method: eigenvalues, vector fields, and where training really goes.

    python experiments/dirac_gan/run.py

writes fields.png, distances.png and results.md beside this file.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from gan_jax.core.games import Alternating, Consensus, Extragradient, Game, Simultaneous
from gan_jax.losses.adversarial import LOSSES, AdversarialLoss, least_squares
from gan_jax.losses.penalties import R1, Penalty
from gan_jax.theory import dirac
from gan_jax.theory import dirac_spectra as spectra
from gan_jax.theory.dirac_methods import Method, methods
from gan_jax.theory.dirac_spectra import LOSS_SLOPES, LinearGame
from gan_jax.utils import files

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 5
NEAR = 1e-5  # a start from which the game is as good as linear
FAR = (1.0, 0.0)
WINDOW = 200  # steps: the last of a trajectory, several turns
REACH = 2.6  # half the side of a panel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rate", type=float, default=0.2, help="learning rate of both players")
    parser.add_argument("--steps", type=int, default=2000, help="of each trajectory")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()
    chosen = methods(args.rate)
    paths = [dirac.trajectory(m.algorithm, *FAR, args.steps, min(m.batch_size, 64)) for m in chosen]
    draw_fields(chosen, paths, args.out / "fields.png")
    draw_distances(chosen, paths, args.out / "distances.png")
    tables = "\n\n".join([method_table(chosen, paths), loss_table(args.rate)])
    files.write_atomically(args.out / "results.md", (tables + "\n").encode())


# Tables


def method_table(chosen: list[Method], paths: list[np.ndarray]) -> str:
    """Largest moduli in closed form, by differentiation and measured; where the far start ended."""
    rows = [
        "| method | closed form | by differentiation | measured | last theta, predicted | last theta, seen |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for method, path in zip(chosen, paths, strict=True):
        closed = "none" if method.closed is None else f"{np.abs(method.closed).max():.5f}"
        seen = np.abs(path[-WINDOW:, 0]).max()
        end = f"{method.end(len(path) - 1 - WINDOW):.3f}" if method.end else ""
        cells = (method.title, closed, differentiated(method), measured(method), end, f"{seen:.2g}")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def differentiated(method: Method) -> str:
    """The largest modulus among the eigenvalues that belong to the players, not to a memory."""
    if method.closed is None:
        return "none"
    found = dirac.eigenvalues(method.algorithm, method.settle_steps, max(method.batch_size, 2))
    nearest = [found[np.abs(found - value).argmin()] for value in method.closed]
    return f"{np.abs(nearest).max():.5f}"


def measured(method: Method) -> str:
    """The factor per step near the equilibrium; under noise there is no resting point to come near to."""
    if method.closed is None or method.batch_size > 2:
        return "none"
    largest = np.abs(method.closed).max()
    # As many turns as float32 holds (1e-5 e^-50 = 2e-27), or the linear part, where the path leaves.
    powers = 50.0 if largest < 1.0 else 4.0
    steps = int(min(powers / max(abs(np.log(largest)), 1e-9), 1500))
    path = dirac.trajectory(method.algorithm, NEAR, 0.0, steps + 50)
    return f"{dirac.measured_rate(path, skip_steps=50):.5f}"


GAMES: dict[str, tuple[Game, tuple[Penalty, ...]]] = {
    "simultaneous": (Simultaneous(), ()),
    "alternating": (Alternating(), ()),
    "extragradient": (Extragradient(), ()),
    "consensus, 0.5": (Consensus(weight=0.5), ()),
    "alternating + R1, 0.3": (Alternating(), (R1(weight=0.3),)),
}


def loss_table(rate: float) -> str:
    """The largest modulus for each loss and game, closed form / by differentiation."""
    rows = [
        "| loss | omega | " + " | ".join(GAMES) + " |",
        "|---|---:|" + "---:|" * len(GAMES),
    ]
    for name, slopes in LOSS_SLOPES.items():
        game = LinearGame(slopes.generator, slopes.discriminator)
        closed = [
            spectra.simultaneous(game, rate),
            spectra.alternating(game, rate),
            spectra.extragradient(game, rate),
            spectra.simultaneous(spectra.consensus(slopes, 0.5), rate),
            spectra.alternating(spectra.gradient_penalty(slopes, 0.3), rate),
        ]
        loss = loss_of(name)
        found = [
            dirac.eigenvalues(dirac.dirac_gan(rate, loss=loss, game=played, penalties=penalties))
            for played, penalties in GAMES.values()
        ]
        cells = [f"{np.abs(c).max():.4f} / {np.abs(f).max():.4f}" for c, f in zip(closed, found, strict=True)]
        rows.append(f"| {name} | {game.omega:g} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def loss_of(name: str) -> AdversarialLoss:
    """The loss of that name; least squares with the targets for which LOSS_SLOPES holds."""
    return least_squares(a=-1.0, b=1.0, c=1.0) if name == "least_squares" else LOSSES[name]()


# Figures


def draw_fields(chosen: list[Method], paths: list[np.ndarray], path: Path) -> None:
    """A panel for each method: arrows of one step, and the path from the far start."""
    rows = -(-len(chosen) // COLUMNS)
    figure = new_figure(2.6 * COLUMNS, 2.75 * rows)
    panels = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    ticks = np.linspace(-0.9 * REACH, 0.9 * REACH, 13)
    points = np.stack(np.meshgrid(ticks, ticks), axis=-1)
    for axes, method, steps in zip(panels, chosen, paths, strict=False):
        arrows = dirac.displacements(method.algorithm, points, method.batch_size)
        length = np.linalg.norm(arrows, axis=-1, keepdims=True)
        # Their lengths differ by orders of magnitude: the square root keeps the short ones visible.
        arrows = arrows / np.sqrt(np.maximum(length, 1e-12) * np.maximum(length.max(), 1e-12))
        axes.quiver(
            points[..., 0],
            points[..., 1],
            arrows[..., 0],
            arrows[..., 1],
            color="0.65",
            scale=18,
            width=0.006,
        )
        shown = steps[:400]
        axes.plot(shown[:, 0], shown[:, 1], "-", color="C0", linewidth=0.9)
        axes.plot(*steps[0], "o", color="C2", markersize=5)
        axes.plot(*steps[-1], "s", color="C1", markersize=5)
        axes.plot(0, 0, "k+", markersize=9)
        axes.set_title(f"{method.title}\n{verdict(method)}", fontsize=9)
        axes.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal")
    for axes in panels[len(chosen) :]:
        axes.axis("off")
    for axes in panels[::COLUMNS]:
        axes.set_ylabel("psi")
    for axes in panels[len(chosen) - COLUMNS : len(chosen)]:
        axes.set_xlabel("theta")
        axes.tick_params(labelbottom=True)
    save(figure, path)


def verdict(method: Method) -> str:
    """The largest modulus and what it says."""
    if method.closed is None:
        return "no eigenvalue"
    largest = np.abs(method.closed).max()
    sign = "=" if abs(largest - 1.0) < 1e-9 else "<" if largest < 1.0 else ">"
    return f"|mu| = {largest:.4f} {sign} 1" if sign != "=" else "|mu| = 1"


def draw_distances(chosen: list[Method], paths: list[np.ndarray], path: Path) -> None:
    """Distance to the equilibrium against the step, with the closed forms."""
    groups = {
        "the game alone": ("simultaneous", "alternating", "extragradient", "momentum 0.5"),
        "remedies that damp": ("R1, weight 0.3", "R1, weight 1", "consensus, weight 1", "unrolled, 5 steps"),
        "no rate": (
            "WGAN-GP, weight 0.3",
            "DRAGAN, weight 1.2, W loss",
            "WGAN, clipped at 0.5",
            "LeCam, weight 1",
            "Adam, b1 0.5, usual epsilon",
            "historical averaging, 0.25",
        ),
    }
    figure = new_figure(13, 4)
    for axes, (title, names) in zip(figure.subplots(1, 3), groups.items(), strict=True):
        draw_group(axes, {m.title: (m, p) for m, p in zip(chosen, paths, strict=True) if m.title in names})
        axes.set_title(title)
        if title == "no rate":
            axes.set(xscale="log", ylim=(1e-2, 10))
        if title == "remedies that damp":
            axes.set_xlim(1, 500)
    save(figure, path)


def draw_group(axes: Axes, group: dict[str, tuple[Method, np.ndarray]]) -> None:
    """One panel of `draw_distances`; dashed the eigenvalue's prediction, dotted that of `Method.end`."""
    for number, (title, (method, steps)) in enumerate(group.items()):
        distance = np.linalg.norm(steps, axis=1)
        axes.semilogy(distance, color=f"C{number}", linewidth=1.0, label=title)
        largest = 1.0 if method.closed is None else np.abs(method.closed).max()
        if abs(largest - 1.0) > 1e-9:
            axes.semilogy(largest ** np.arange(len(distance)), "--", color=f"C{number}", linewidth=1.0)
        if method.end:
            ticks = np.unique(np.geomspace(100, len(distance), 50).astype(int))
            axes.semilogy(ticks, [method.end(tick) for tick in ticks], ":", color=f"C{number}", linewidth=2.0)
    axes.set(xlabel="step", ylabel="distance to the equilibrium", ylim=(1e-6, 30), xlim=(1, len(distance)))
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """The figure as a PNG of 80 dots per inch and 48 colours."""
    drawn, buffer = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=80)
    Image.open(drawn).convert("RGB").quantize(48).save(buffer, "PNG", optimize=True)
    files.write_atomically(path, buffer.getvalue())


if __name__ == "__main__":
    main()
