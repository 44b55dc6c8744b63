"""Which levels of a game its walker finds its way through."""

from __future__ import annotations

import numpy as np

from gan_jax.data.games import Game
from gan_jax.metrics.levels import lode_runner, mario, zelda

WALKERS = {
    "mario": lambda level: mario.walk(level).arrived,
    "zelda": zelda.is_playable,
    "lode_runner": lode_runner.is_playable,
}
WORDS = {
    "mario": f"from the left edge to the right one, jumps of {mario.JUMP} rows and {mario.REACH - 1} columns",
    "zelda": "each door and stair from the others, without ladder",
    "lode_runner": "each heap of gold from the runner, holes stay open",
}


def playable(levels: np.ndarray, game: Game) -> np.ndarray:
    """Whether the walker of the game finds its way through each of levels uint8 [N, H, W]: bool [N]."""
    walker = WALKERS[game.name]
    return np.array([walker(level) for level in levels], bool)
