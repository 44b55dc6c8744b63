"""Path length and R1 of a run over its steps, from its own record.

    python experiments/stylegan2_fashion_mnist/path_length.py --run runs/stylegan2 --out path_length.png

The penalty is the mean square of |J^T y| - a, where y is noise of the images' size and a the running mean of
these lengths (Karras et al. 2020, arXiv:1912.04958, equation 4): it is small where a step in w moves the
picture as far wherever w is, and in whichever direction.
"""

import argparse
import sys
from pathlib import Path

import matplotlib

from gan_jax.summaries.logs import read_metrics
from gan_jax.utils.errors import UserError

matplotlib.use("agg")
import matplotlib.pyplot as plt


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", type=Path, required=True, help="a run with the penalties path_length and r1")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    rows = [row for row in read_metrics(args.run) if "path_length" in row and "r1" in row]
    if not rows:
        raise UserError(
            f"{args.run} has no rows with path_length and r1: was it trained with both penalties?"
        )
    figure, sides = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    for axes, name, title in zip(
        sides, ("path_length", "r1"), ("path length penalty", "R1: |dD/dx|² at reals"), strict=True
    ):
        axes.plot([row["step"] for row in rows], [row[name] for row in rows], linewidth=1)
        axes.set(yscale="log", xlabel="step", title=title)
        axes.grid(alpha=0.3)
    figure.savefig(args.out, dpi=90)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"path_length.py: {error}")
