"""Scores and pictures of runs on a game's levels beside Markov chains and the real held-out levels.

    gan-jax data prepare vglc_mario
    gan-jax train --config wgan_gp_mario --workdir runs/wgan_gp_mario
    gan-jax train --config pixelcnn_mario --workdir runs/pixelcnn_mario
    python experiments/levels/compare.py runs/wgan_gp_mario runs/pixelcnn_mario

All rows have as many levels as are held out, because divergences of patterns fall with their number.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import jax
import numpy as np

from experiments.levels.markov import ColumnChain
from gan_jax import data
from gan_jax.algorithms.autoregressive import Autoregressive
from gan_jax.algorithms.gan import GAN
from gan_jax.core.modules import is_conditional
from gan_jax.data.games import GAMES, MARIO, Game, game_of
from gan_jax.evaluation.evaluate import Evaluator
from gan_jax.evaluation.generated import GeneratedSet
from gan_jax.evaluation.level_scores import LEVEL_METRICS
from gan_jax.evaluation.sources.image_source import array_source
from gan_jax.feature_networks.simple_networks import no_network
from gan_jax.inference.sample import first_of, make_chunks
from gan_jax.metrics.levels.mario import walk
from gan_jax.metrics.levels.patterns import pattern_divergences, patterns
from gan_jax.summaries.pictures import grid, save_picture, with_row_names
from gan_jax.training.restore import restored_run

FOLDER = Path(__file__).parent
SHOWN = {"tile_difference": 3, "pattern_kl_2": 2, "pattern_kl_3": 2, "pattern_kl_4": 2, "distinct": 3,
         "copied": 3, "nearest_tiles": 3, "broken_pipe_tiles": 3, "levels_with_broken_pipes": 3,
         "playable": 3}  # fmt: skip
PICTURED = 5
HELD_OUT, CHAIN = "held-out levels", "Markov chain of columns"
AGAINST = "pattern_kl_3 to the held-out ones"


def drawn(workdir: str, count: int) -> tuple[Game, str, np.ndarray]:
    """A run's game, its name in the table, and levels of it, uint8 [count, H, W].

    Raises:
        SystemExit: it is no run of one of the three games.
    """
    algorithm, spec, state = restored_run(workdir)
    codec = spec.fields["image"].codec
    game = game_of(codec)
    if game is None:
        sys.exit(f"compare.py: {workdir} makes no levels of a game: give runs on {', '.join(GAMES)}")
    if isinstance(algorithm, Autoregressive):
        name = "PixelCNN"
    else:
        assert isinstance(algorithm, GAN)
        kind = "WGAN-GP" if algorithm.penalties else "WGAN, clipped"
        name = f"conditional {kind}" if is_conditional(algorithm.discriminator) else kind
    chunks = first_of(make_chunks(algorithm, spec)(state, count, jax.random.key(0)), count)
    levels = np.concatenate([codec.encode(chunk[""]) for chunk in chunks])
    return game, f"{name}, {int(state.step):,} steps", levels


def table(game: Game, sides: dict[str, np.ndarray], real: np.ndarray) -> str:
    """The scores of each side against the training levels, and one against those held out, as Markdown."""
    reals = array_source("training levels", real, codec=game.codec)
    count = len(next(iter(sides.values())))
    metrics = {
        name: metric for name, metric in LEVEL_METRICS.items() if game is MARIO or name != "broken_pipes"
    }
    shown = {name: digits for name, digits in SHOWN.items() if game is MARIO or "pipe" not in name}
    evaluator = Evaluator(metrics, reals, no_network(game.codec), num_fakes=count, progress=False)
    known = patterns(sides[HELD_OUT], 3)
    lines = [f"| | {' | '.join([*shown, AGAINST])} |", f"|---|{'---|' * (len(shown) + 1)}"]
    for name, levels in sides.items():
        source = array_source(name, levels, codec=game.codec)
        scores = evaluator(GeneratedSet(source=source)).scores
        values = " | ".join(f"{scores[score].value:.{digits}f}" for score, digits in shown.items())
        against = sum(pattern_divergences(patterns(levels, 3), known)) / 2
        lines.append(f"| {name} | {values} | {against:.2f} |")
    return "\n".join(lines) + "\n"


def pictured(game: Game, levels: np.ndarray) -> np.ndarray:
    """Pictures of levels, uint8 [N, h, w, 3]; of Mario with the walker's way as white dots."""
    pictures = game.codec.picture(np.eye(len(game.tiles), dtype=np.float32)[levels])
    for picture, level in zip(pictures, levels, strict=True) if game is MARIO else ():
        for row, column in walk(level).path:
            if row >= 0:
                picture[8 * row + 3 : 8 * row + 5, 8 * column + 3 : 8 * column + 5] = 255
    return pictures


def main() -> None:
    """Writes GAME.md and GAME.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "workdir", nargs="+", help="runs on one game, each a row; the last two are in the picture"
    )
    parser.add_argument("--out", type=Path, default=FOLDER)
    given = parser.parse_args()
    game = drawn(given.workdir[0], 1)[0]
    real, held_out = (
        data.load(f"vglc_{game.name}", split=split).arrays()["image"] for split in ("train", "test")
    )
    count = len(held_out)
    runs = {}
    for workdir in given.workdir:
        other, name, levels = drawn(workdir, count)
        if other is not game:
            sys.exit(
                f"compare.py: {workdir} makes levels of {other.name}, and {given.workdir[0]} of {game.name}"
            )
        runs[name] = levels
    sides = {
        HELD_OUT: held_out,
        "training levels, drawn again": real[np.random.default_rng(0).choice(len(real), count)],
        CHAIN: ColumnChain(real, 1).sample(count),
        "Markov chain of pairs of columns": ColumnChain(real, 2).sample(count),
        **runs,
    }
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / f"{game.name}.md").write_text(table(game, sides, real))
    shown = {name: sides[name] for name in (HELD_OUT, CHAIN, *list(runs)[-2:])}
    rows = np.concatenate(
        [pictured(game, levels[:: max(1, count // PICTURED)][:PICTURED]) for levels in shown.values()]
    )
    save_picture(given.out / f"{game.name}.png", with_row_names(grid(rows, PICTURED, scale=1), list(shown)))


if __name__ == "__main__":
    main()
