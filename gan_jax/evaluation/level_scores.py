"""Metrics of levels of tiles: patterns, copies, broken pipes, and whether one can walk through."""

from __future__ import annotations

from functools import partial

import numpy as np

from gan_jax.data.codecs import Tiles
from gan_jax.data.games import MARIO, Game, game_of
from gan_jax.evaluation.metric import ALL, Comparison, Metric, Need
from gan_jax.metrics.levels import playable as walkers
from gan_jax.metrics.levels.copies import copies
from gan_jax.metrics.levels.patterns import EPSILON, pattern_divergences, patterns, tile_shares
from gan_jax.metrics.levels.pipes import PIPE, broken_pipes

SIDES = (2, 3, 4)  # of patterns
OF_LEVELS: frozenset[Need] = frozenset({"tiles", "game", "pipes"})  # what only levels have


def _tile_patterns(given: Comparison) -> dict[str, float]:
    fake, real = given.fake.images, given.real.images
    codec = given.network.codec
    assert isinstance(codec, Tiles)
    shares = [tile_shares(side, len(codec.palette)) for side in (fake, real)]
    found = {"tile_difference": float(np.abs(shares[0] - shares[1]).sum() / 2)}
    for side in SIDES:
        known = given.once(f"patterns_{side}", partial(patterns, real, side))
        new, missing = pattern_divergences(patterns(fake, side), known)
        found |= {f"pattern_kl_{side}": (new + missing) / 2}
        found |= {f"pattern_kl_{side}_new": new, f"pattern_kl_{side}_missing": missing}
    return found


def _level_copies(given: Comparison) -> dict[str, float]:
    found = copies(given.fake.images, given.real.images)
    return {"distinct": found.distinct, "copied": found.copied, "nearest_tiles": found.nearest}


def _broken_pipes(given: Comparison) -> dict[str, float]:
    levels = given.fake.images
    broken = np.array([broken_pipes(level) for level in levels])
    of_pipes = np.isin(levels, PIPE).sum()
    return {
        "broken_pipe_tiles": float(broken.sum() / of_pipes) if of_pipes else 0.0,
        "levels_with_broken_pipes": float(broken.any(axis=(1, 2)).mean()),
        "pipe_tiles": float(of_pipes / levels.size),
    }


def _playable(given: Comparison) -> dict[str, float]:
    game = game_of(given.network.codec)
    assert game is not None
    real = given.once("playable", lambda: _share(given.real.images, game))
    return {"playable": _share(given.fake.images, game), "playable_real": real}


def _share(levels: np.ndarray, game: Game) -> float:
    return float(walkers.playable(levels, game).mean())


LEVEL_METRICS = {
    "tile_patterns": Metric(
        1,
        f"all patterns of 2x2, 3x3 and 4x4 tiles, smoothed by {EPSILON:g}; the mean of both ways",
        {"tile_difference": "lower", **{f"pattern_kl_{side}": "lower" for side in SIDES}},
        _tile_patterns,
        least=1,
        images=ALL,
        needs=frozenset({"tiles"}),
        features=False,
    ),
    "level_copies": Metric(
        1,
        "equal in all tiles",
        {"distinct": "higher", "copied": "neither", "nearest_tiles": "neither"},
        _level_copies,
        least=1,
        images=ALL,
        needs=frozenset({"tiles"}),
        features=False,
    ),
    "broken_pipes": Metric(
        1,
        f"tiles {''.join(MARIO.alphabet[tile] for tile in PIPE)} without their other part",
        {"broken_pipe_tiles": "lower", "levels_with_broken_pipes": "lower", "pipe_tiles": "neither"},
        _broken_pipes,
        least=1,
        images=ALL,
        needs=frozenset({"tiles", "pipes"}),
        features=False,
    ),
    "playable": Metric(
        1,
        "; ".join(f"{name}: {words}" for name, words in walkers.WORDS.items()),
        {"playable": "higher", "playable_real": "neither"},
        _playable,
        least=1,
        images=ALL,
        needs=frozenset({"tiles", "game"}),
        features=False,
    ),
}
