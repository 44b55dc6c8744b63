"""What a search among levels can look for: quantities of levels by name, each with the value that is wanted.

Volz et al. 2018 (arXiv:1805.00728, section 4.2) search for levels with a given share of ground in the lowest
row, and for enemies; `playable` and `progress` ask our walkers, where they let an agent play.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from gan_jax.data.games import GAMES, LODE_RUNNER, MARIO, ZELDA, Game
from gan_jax.metrics.levels.mario import walk
from gan_jax.metrics.levels.pipes import broken_pipes
from gan_jax.metrics.levels.playable import playable
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import did_you_mean

Quantity = Callable[[np.ndarray], np.ndarray]  # levels uint8 [N, H, W] -> float64 [N]


def quantities(game: Game) -> dict[str, Quantity]:
    """All that can be measured of a game's levels, by name.

    Of Mario `ground` is the share of columns with ground in the lowest row, and what is counted is divided by
    the columns; of the other games they are shares of all tiles.
    """
    found = {name: _per_tile(game, characters) for name, characters in _COUNTED[game.name].items()}
    if game is MARIO:
        found = {name: _scaled(quantity, game.shape[0]) for name, quantity in found.items()}
        (ground,) = game.numbers("X")
        found["ground"] = lambda levels: (levels[:, -1] == ground).mean(axis=1)
        found["broken_pipes"] = lambda levels: np.array(
            [broken_pipes(one).sum() / one.shape[1] for one in levels]
        )
        found["progress"] = lambda levels: np.array([walk(one).progress for one in levels])
    found["playable"] = lambda levels: playable(levels, game).astype(float)
    return found


_COUNTED = {
    MARIO.name: {"enemies": "E", "pipes": "<", "coins": "o", "blocks": "S?Q", "cannons": "B"},
    ZELDA.name: {"floor": "F", "blocks": "BI", "monsters": "M", "water": "PO", "doors": "D", "stairs": "S"},
    LODE_RUNNER.name: {
        "ground": "Bb",
        "bricks": "b",
        "ropes": "-",
        "ladders": "#",
        "gold": "G",
        "enemies": "E",
    },
}


def _per_tile(game: Game, characters: str) -> Quantity:
    tiles = game.numbers(characters)
    return lambda levels: np.isin(levels, tiles).mean(axis=(1, 2))


def _scaled(quantity: Quantity, factor: float) -> Quantity:
    return lambda levels: factor * quantity(levels)


def parse_fitness(text: str, game: Game) -> dict[str, float]:
    """The wanted value of each quantity in "ground=0.5,enemies=0.1".

    Raises:
        UserError: a name that the game lacks, or what is no number from 0 to 1.
    """
    known, wanted = quantities(game), {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name not in known:
            there = ", ".join(sorted(known))
            raise UserError(f"fitness {name!r}{did_you_mean(name, known)}: of {game.name} there are {there}")
        try:
            number = float(value) if equals else math.nan
        except ValueError:
            number = math.nan
        if not 0 <= number <= 1:
            raise UserError(f"fitness {part}: give {name}= and what is wanted, a number from 0 to 1")
        wanted[name] = number
    if not wanted:
        raise UserError("fitness: nothing is wanted; give for example " + _EXAMPLES[game.name])
    return wanted


_EXAMPLES = {"mario": "ground=0.5,enemies=0.1", "zelda": "water=0.2", "lode_runner": "gold=0.05,playable=1"}
assert _EXAMPLES.keys() == _COUNTED.keys() == GAMES.keys()


def distance(levels: np.ndarray, game: Game, wanted: Mapping[str, float]) -> np.ndarray:
    """How far levels uint8 [N, H, W] are from what is wanted: the sum of the differences, float64 [N]."""
    known = quantities(game)
    total = np.zeros(len(levels))
    for name, value in wanted.items():
        total += np.abs(known[name](levels) - value)
    return total
