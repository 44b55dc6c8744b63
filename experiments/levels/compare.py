"""Scores and pictures of runs on Mario's levels beside Markov chains and the real held-out levels.

    gan-jax data prepare vglc_mario
    gan-jax train --config wgan_gp_mario --workdir runs/wgan_gp_mario
    gan-jax train --config pixelcnn_mario --workdir runs/pixelcnn_mario
    python experiments/levels/compare.py runs/wgan_gp_mario runs/pixelcnn_mario

All rows have as many windows as are held out, 468, because divergences of patterns fall with their number.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import jax
import numpy as np

from experiments.levels.markov import ColumnChain
from gan_jax import data
from gan_jax.algorithms.autoregressive import Autoregressive
from gan_jax.algorithms.gan import GAN
from gan_jax.data.games import MARIO
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
NAMES = {Autoregressive: "PixelCNN", GAN: "WGAN-GP"}
HELD_OUT, AGAINST = "held-out levels", "pattern_kl_3 to the held-out ones"


def drawn(workdir: str, count: int) -> tuple[str, np.ndarray]:
    """A name and windows of a run, uint8 [count, 14, 28]."""
    algorithm, spec, state = restored_run(workdir)
    chunks = first_of(make_chunks(algorithm, spec)(state, count, jax.random.key(0)), count)
    levels = np.concatenate([MARIO.codec.encode(chunk[""]) for chunk in chunks])
    return f"{NAMES.get(type(algorithm), 'GAN')}, {int(state.step):,} steps", levels


def table(sides: dict[str, np.ndarray], real: np.ndarray) -> str:
    """The scores of each side against the training windows, and one against those held out, as Markdown."""
    reals = array_source("training windows", real, codec=MARIO.codec)
    count = len(next(iter(sides.values())))
    evaluator = Evaluator(
        dict(LEVEL_METRICS), reals, no_network(MARIO.codec), num_fakes=count, progress=False
    )
    known = patterns(sides[HELD_OUT], 3)
    lines = [f"| | {' | '.join([*SHOWN, AGAINST])} |", f"|---|{'---|' * (len(SHOWN) + 1)}"]
    for name, levels in sides.items():
        source = array_source(name, levels, codec=MARIO.codec)
        scores = evaluator(GeneratedSet(source=source)).scores
        values = " | ".join(f"{scores[score].value:.{digits}f}" for score, digits in SHOWN.items())
        against = sum(pattern_divergences(patterns(levels, 3), known)) / 2
        lines.append(f"| {name} | {values} | {against:.2f} |")
    return "\n".join(lines) + "\n"


def pictured(levels: np.ndarray) -> np.ndarray:
    """Pictures of levels, uint8 [N, h, w, 3], with the walker's way as white dots."""
    pictures = MARIO.codec.picture(np.eye(len(MARIO.tiles), dtype=np.float32)[levels])
    for picture, level in zip(pictures, levels, strict=True):
        for row, column in walk(level).path:
            if row >= 0:
                picture[8 * row + 3 : 8 * row + 5, 8 * column + 3 : 8 * column + 5] = 255
    return pictures


def main() -> None:
    """Writes scores.md and levels.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("workdir", nargs="+", help="runs, each a row; the last two are in the picture")
    parser.add_argument("--out", type=Path, default=FOLDER)
    given = parser.parse_args()
    real = data.load("vglc_mario").arrays()["image"]
    held_out = data.load("vglc_mario", split="test").arrays()["image"]
    count = len(held_out)
    sides = {
        HELD_OUT: held_out,
        "training windows, drawn again": real[np.random.default_rng(0).choice(len(real), count)],
        "Markov chain of columns": ColumnChain(real, 1).sample(count),
        "Markov chain of pairs of columns": ColumnChain(real, 2).sample(count),
        **dict(drawn(workdir, count) for workdir in given.workdir),
    }
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "scores.md").write_text(table(sides, real))
    runs = list(sides)[-min(2, len(given.workdir)) :]
    pictured_names = (HELD_OUT, "Markov chain of columns", *runs)
    shown = {name: sides[name] for name in pictured_names}
    rows = np.concatenate([pictured(levels[:: count // PICTURED][:PICTURED]) for levels in shown.values()])
    save_picture(given.out / "levels.png", with_row_names(grid(rows, PICTURED, scale=1), list(shown)))


if __name__ == "__main__":
    main()
