"""The files that `gan-jax levels` writes."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gan_jax.data.games import Game
from gan_jax.data.level_text import level_text
from gan_jax.evaluation.sources.level_texts import TABLE
from gan_jax.latent_tools.generator import Latents
from gan_jax.latent_tools.latent_files import save_latents
from gan_jax.latent_tools.level_fitness import quantities
from gan_jax.summaries.pictures import save_picture
from gan_jax.summaries.plotting import new_figure, save_figure
from gan_jax.utils import files
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import counted, listed, natural_order

SCALE = 2  # how many times a sprite is enlarged


def check_levels_folder(folder: Path, count: int) -> None:
    """Raises a UserError if texts would stay in the folder beside `count` new levels.

    Whoever reads the folder would take them for levels of the same run.
    """
    new = {f"{_name(number)}.txt" for number in range(count)}
    with files.disk_errors(f"read {folder}"):
        paths = list(folder.iterdir()) if folder.is_dir() else []
    found = [path.name for path in paths if path.suffix.lower() == ".txt"]
    if others := natural_order(name for name in found if name not in new):
        raise UserError(
            f"{folder} has {counted(len(others), 'text')} beside the levels to come ({listed(others, 3)}): "
            "give another folder, or remove them"
        )


def _name(number: int) -> str:
    return f"level_{number:03d}"


def save_levels(folder: Path, levels: Sequence[np.ndarray], game: Game) -> list[dict[str, float]]:
    """Writes level_000.txt and level_000.png, and so on, and levels.csv with the quantities of each.

    Returns:
        The rows of levels.csv.

    Raises:
        UserError: the disk is full or the folder cannot be written to.
    """
    with files.disk_errors(f"make the folder {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
    known, rows = quantities(game), []
    for number, level in enumerate(levels):
        place = folder / _name(number)
        files.write_atomically(place.with_suffix(".txt"), level_text(level, game.alphabet).encode())
        one_hot = np.eye(len(game.tiles), dtype=np.float32)[level]
        picture = game.codec.picture(one_hot[None])[0]
        save_picture(place.with_suffix(".png"), picture.repeat(SCALE, axis=0).repeat(SCALE, axis=1))
        rows.append({name: float(quantity(level[None])[0]) for name, quantity in known.items()})
    _save_table(folder / TABLE, ["level", *known], [[n, *row.values()] for n, row in enumerate(rows)])
    return rows


def save_search(folder: Path, curves: Sequence[np.ndarray], latents: Latents, fitness: str) -> None:
    """Writes fitness.csv, fitness.png and latents.npz.

    Args:
        curves: of each search, as `search.Found` has them.

    Raises:
        UserError: the disk is full or the folder cannot be written to.
    """
    with files.disk_errors(f"make the folder {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
    rows = [[number, *row] for number, curve in enumerate(curves) for row in curve.tolist()]
    head = ["search", "evaluations", "best_of_generation", "best"]
    _save_table(folder / "fitness.csv", head, rows)
    save_latents(folder / "latents.npz", latents)
    figure = new_figure(6, 3.5)
    axes = figure.subplots()
    for curve in curves:
        axes.plot(curve[:, 0], curve[:, 1], color="tab:blue", alpha=0.3, linewidth=0.8)
        axes.plot(curve[:, 0], curve[:, 2], color="black", linewidth=1.2)
    axes.set(xlabel="levels looked at", ylabel="distance from what is wanted", ylim=(0, None))
    axes.set_title(f"{fitness}\neach generation's best (blue), and the best so far", fontsize=9)
    save_figure(figure, folder / "fitness.png")


def _save_table(path: Path, head: Sequence[str], rows: Sequence[Sequence[float]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([f"{value:.6g}" for value in row] for row in rows)
    files.write_atomically(path, text.getvalue().encode())
