"""FID of two runs over the images that they saw, what their discriminators say of reals, and ADA's p.

    python experiments/ada_openmoji/curves.py --ada runs/ada --without runs/without --out curves.png

Reads the runs' own records; both were evaluated while training (`--config.evaluation.metrics=fid`).
"""

import argparse
import sys
from pathlib import Path

import matplotlib

from gan_jax.summaries.logs import read_rows
from gan_jax.training.workdir import recorded_run
from gan_jax.utils.errors import UserError

matplotlib.use("agg")
import matplotlib.pyplot as plt


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ada", type=Path, required=True, help="the run with augment=ada")
    parser.add_argument("--without", type=Path, required=True, help="the run without augmentation")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    figure, (scores, outputs, strength) = plt.subplots(1, 3, figsize=(12, 3.5), layout="constrained")
    for label, folder in (("ADA", args.ada), ("without", args.without)):
        batch = recorded_run(folder)[0].batch_size
        rows = read_rows(folder / "metrics.jsonl")
        measured = [
            (row["step"] * batch, row["evaluation"]["scores"]["fid"]["value"])
            for row in rows
            if row.get("evaluation", {}).get("which") == "while training"
        ]
        if not measured:
            raise UserError(f"{folder} was not evaluated while training: set evaluation.metrics=fid")
        scores.plot(*zip(*measured, strict=True), marker=".", label=label)
        logged = [row for row in rows if "discriminator_real" in row]
        images = [row["step"] * batch for row in logged]
        (line,) = outputs.plot(images, [row["discriminator_real"] for row in logged], label=f"{label}: real")
        fake = [row["discriminator_fake"] for row in logged]
        outputs.plot(images, fake, color=line.get_color(), linestyle=":", label=f"{label}: made")
        if "augment_p" in logged[-1]:
            strength.plot(images, [row["augment_p"] for row in logged])
    scores.set(yscale="log", title="FID (random network)")
    outputs.set(title="D of reals and of made pictures", ylim=(0, 1))
    strength.set(title="ADA's p")
    for axes in (scores, outputs, strength):
        axes.set_xlabel("images seen")
        axes.grid(alpha=0.3)
    scores.legend()
    outputs.legend(fontsize=8)
    figure.savefig(args.out, dpi=90)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"curves.py: {error}")
