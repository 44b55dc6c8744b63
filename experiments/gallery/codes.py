"""What each of an InfoGAN's codes does: Chen et al. 2016, figure 2.

    python experiments/gallery/codes.py --workdir runs/infogan_mnist --out codes.png

One row per category. The first columns vary the noise alone, the others one continuous code from -2 to 2
(training draws it from [-1, 1]), the noise fixed.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.algorithms.infogan import InfoGAN
from gan_jax.cli.commands import restored_run
from gan_jax.core.randomness import example_keys, latents
from gan_jax.data.codecs import Pixels
from gan_jax.summaries.pictures import examples_picture, save_png

COLUMNS = 6  # of each kind


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    algorithm, _, state = restored_run(Path(args.workdir))
    if not isinstance(algorithm, InfoGAN):
        parser.error(f"the run in {args.workdir} has no codes: its algorithm is not infogan")
    size, continuous = algorithm.latent_size, algorithm.continuous
    keys = example_keys(jax.random.key(args.seed), COLUMNS)
    varied = np.asarray(latents(keys, size, algorithm.latent))
    fixed = np.repeat(varied[:1], COLUMNS * continuous, axis=0)
    codes = np.zeros((COLUMNS * (1 + continuous), continuous), np.float32)
    for number in range(continuous):
        start = COLUMNS * (1 + number)
        codes[start : start + COLUMNS, number] = np.linspace(-2, 2, COLUMNS)
    noise = np.concatenate([varied, fixed])
    draw = jax.jit(algorithm.draw)
    rows = []
    for category in range(algorithm.categories):
        asked = jnp.full(len(noise), category)
        rows.append(draw(state, algorithm.with_codes(jnp.asarray(noise), asked, jnp.asarray(codes)), None))
    save_png(args.out, examples_picture(np.concatenate(rows), Pixels(), columns=len(noise)))


if __name__ == "__main__":
    main()
