"""Held-out pictures as several translators make them: source, each run's, truth, in one picture.

python experiments/translators/side_by_side.py --run "L1 only=runs/l1" --run "Pix2Pix=runs/pix2pix" \\
    --rows 3,17,29 --out side_by_side.png
"""

import argparse
import sys
from pathlib import Path

import jax
import numpy as np

from gan_jax.inference.conditions import true_rows
from gan_jax.inference.sample import compared_kind, make_sampler
from gan_jax.summaries.columns import strips_picture, with_column_names
from gan_jax.summaries.pictures import save_png
from gan_jax.training.restore import restored_run, run_conditions


def made_of(workdir: str, rows: list[int], seed: int) -> dict[str, np.ndarray]:
    """The pictures uint8 [N, H, W, C] of these held-out rows, by kind, with the truth where there is one."""
    algorithm, spec, state = restored_run(workdir)
    conditions = run_conditions(workdir, algorithm)
    assert conditions is not None, f"{workdir} translates nothing"
    count = max(rows) + 1
    made = make_sampler(algorithm, spec, conditions)(state, count, jax.random.key(seed))
    kinds = made | {"image": compared_kind(made)}
    truth = true_rows(conditions, 0, count)
    if truth is not None:
        kinds["truth"] = truth
    codec = spec.fields["image"].codec
    return {kind: codec.picture(np.asarray(images)[rows]) for kind, images in kinds.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", action="append", required=True, metavar="NAME=WORKDIR")
    parser.add_argument("--rows", default="0,1,2,3,4,5,6,7", help="numbers of held-out rows")
    parser.add_argument("--columns", type=int, default=2, help="examples beside each other")
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    rows = [int(row) for row in args.rows.split(",")]
    columns: dict[str, np.ndarray] = {}
    for run in args.run:
        name, _, workdir = run.partition("=")
        made = made_of(workdir, rows, args.seed)
        columns |= {"source": made["source"], name: made["image"]}
        if "cycle" in made:
            columns["cycle"] = made["cycle"]
        if "truth" in made:
            columns["truth"] = made["truth"]
    picture, names = strips_picture(columns, args.columns, args.scale)
    save_png(args.out, with_column_names(picture, names))
    sys.stdout.write(f"{len(rows)} held-out rows in {args.out}: {', '.join(names)}\n")


if __name__ == "__main__":
    main()
