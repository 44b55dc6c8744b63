"""Levels as text, a character for each tile and a line for each row, and the windows in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gan_jax.data.games import Game
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import printable


def parse_level(text: str, alphabet: str, called: str) -> np.ndarray:
    """The tiles of a level, uint8 [H, W].

    Args:
        text: lines of one length; blank ones at the ends do not count.
        alphabet: the characters in the order of the tiles' numbers.
        called: what messages call the level.

    Raises:
        UserError: no lines, lines of several lengths, or a character that the alphabet lacks.
    """
    lines = text.strip("\r\n").splitlines()
    lengths = sorted({len(line) for line in lines})
    if not lines or lengths == [0]:
        raise UserError(f"{called} holds no level: it has no lines of tiles.")
    if len(lengths) > 1:
        raise UserError(
            f"{called} is no level: its lines have {lengths[0]} to {lengths[-1]} characters. Give all rows "
            "one length."
        )
    rows = np.array([[alphabet.find(character) for character in line] for line in lines])
    if (rows < 0).any():
        row, column = (int(index) for index in np.argwhere(rows < 0)[0])
        raise UserError(
            f"{called}: line {row + 1}, column {column + 1} is {printable(lines[row][column])!r}, which is "
            f"no tile: the alphabet is {alphabet}"
        )
    return rows.astype(np.uint8)


def level_text(level: np.ndarray, alphabet: str) -> str:
    """The text of a level, uint8 [H, W]: the inverse of `parse_level`, with a line end behind each row."""
    characters = np.array(list(alphabet))
    return "".join("".join(row) + "\n" for row in characters[level])


def windows_of(level: np.ndarray, game: Game, called: str) -> np.ndarray:
    """The examples in a level [H, W]: windows one column apart, or rooms that hold something, [N, h, w].

    Raises:
        UserError: the level is lower or narrower than a window, too high for windows, or no whole number of
            rooms.
    """
    height, width = game.shape
    rows, columns = level.shape
    size = f"{called} has {rows} rows of {columns} tiles"
    if rows < height or columns < width:
        raise UserError(f"{size}: a level of {game.name} has at least {height} rows of {width}.")
    if not game.rooms:
        if rows != height:
            raise UserError(f"{size}: a level of {game.name} has {height} rows.")
        return np.lib.stride_tricks.sliding_window_view(level, width, axis=1).swapaxes(0, 1)
    if rows % height or columns % width:
        raise UserError(f"{size}, which are no rooms of {height} x {width} side by side.")
    grid = level.reshape(rows // height, height, columns // width, width)
    rooms = grid.swapaxes(1, 2).reshape(-1, height, width)
    (empty,) = game.numbers(game.empty)
    return rooms[(rooms != empty).any(axis=(1, 2))]


def beside(windows: Sequence[np.ndarray]) -> np.ndarray:
    """Windows [h, w] of one height as one level."""
    return np.concatenate(list(windows), axis=1)
