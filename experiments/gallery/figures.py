"""Which figures the samples of a run on `shapes` show, by the recogniser of `gan_jax.data`.

python experiments/gallery/figures.py --workdir runs/dcgan_shapes
"""

import argparse
import sys

import jax
import numpy as np

from gan_jax.cli.commands import restored_run
from gan_jax.data.recogniser import recover
from gan_jax.data.shapes import SHAPES
from gan_jax.inference.sample import class_rows, make_sampler


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--num", type=int, default=512)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    algorithm, spec, state = restored_run(args.workdir)
    labels, _ = class_rows(algorithm, args.num)
    samples = make_sampler(algorithm, spec)(state, args.num, jax.random.key(args.seed), labels)
    factors = recover(samples)
    good = factors["quality"] > 0.5
    counts = np.bincount(factors["shape"][good], minlength=len(SHAPES))
    found = ", ".join(f"{name} {count}" for name, count in zip(SHAPES, counts, strict=True))
    sys.stdout.write(
        f"step {int(state.step)}, {args.num} samples, seed {args.seed}: one figure explains over half of the "
        f"picture in {good.mean():.1%} (mean share {factors['quality'].mean():.3f}); among these {found}\n"
    )


if __name__ == "__main__":
    main()
