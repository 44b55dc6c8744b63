"""The same pictures with their styles drawn ever less to the mean style: a row for each psi.

python experiments/stylegan2_fashion_mnist/truncation.py --run runs/stylegan2 --out truncation.png
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from gan_jax.core.styles import Truncation
from gan_jax.latent_tools.generator import LatentGenerator
from gan_jax.summaries.pictures import examples_picture, save_picture, with_row_names
from gan_jax.training.restore import restored_run
from gan_jax.utils.errors import UserError

PSI = (0.0, 0.3, 0.5, 0.7, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", type=Path, required=True, help="the folder of a run with styles")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--columns", type=int, default=12, help="how many pictures, of the seeds 0, 1, ...")
    args = parser.parse_args()
    run = restored_run(args.run)
    rows = []
    for psi in PSI:
        generator = LatentGenerator(*run, truncation=Truncation(psi))
        rows.append(generator(generator.in_space(generator.drawn(range(args.columns)), "w")))
    picture = examples_picture(np.concatenate(rows), generator.codec, columns=args.columns)
    save_picture(args.out, with_row_names(picture, [f"psi {psi:g}" for psi in PSI]))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"truncation.py: {error}")
