"""A folder of levels as text, such as `gan-jax levels` writes and the Video Game Level Corpus has."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gan_jax.data.games import GAMES, Game
from gan_jax.data.level_text import parse_level, windows_of
from gan_jax.evaluation.sources.image_source import ImageSource, array_source
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import disk_errors
from gan_jax.utils.names import natural_order, printable

TABLE = "levels.csv"  # beside the levels that `gan-jax levels` writes, where pictures of them lie too
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")


def holds_levels(folder: Path) -> bool:
    """Whether a folder is one of levels: it has texts, and a table of them or nothing but texts."""
    paths = list(folder.iterdir())
    plain = not any(path.suffix.lower() in PICTURES or path.is_dir() for path in paths)
    return any(map(_is_text, paths)) and ((folder / TABLE).is_file() or plain)


def levels_source(folder: Path) -> ImageSource:
    """The windows or rooms of the levels in a folder, of the game whose characters they have.

    Raises:
        UserError: they are levels of none of the games; with what one of the games lacks.
    """
    paths = {path.name: path for path in folder.iterdir() if _is_text(path)}
    with disk_errors(f"read {printable(folder)}"):
        texts = {name: paths[name].read_text(errors="replace") for name in natural_order(paths)}
    problems = []
    for game in GAMES.values():
        try:
            return array_source(f"folder {printable(folder.name)}", _windows(texts, game), codec=game.codec)
        except UserError as error:
            problems.append(f"{game.name}: {error}")
    raise UserError(
        f"{printable(folder)} has texts that are levels of none of the games ({'; '.join(problems)})"
    )


def _is_text(path: Path) -> bool:
    return path.suffix.lower() == ".txt"


def _windows(texts: dict[str, str], game: Game) -> np.ndarray:
    levels = {name: parse_level(text, game.alphabet, name) for name, text in texts.items()}
    # A level of one room counts even if nothing is in it: dropped, it would make a bad generator look better.
    windows = np.concatenate(
        [
            level[None] if level.shape == game.shape else windows_of(level, game, name)
            for name, level in levels.items()
        ]
    )
    if not len(windows):
        raise UserError("no room has anything in it")
    return windows
