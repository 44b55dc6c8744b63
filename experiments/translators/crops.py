"""One crop of a photograph as several methods enlarge it: bicubic, each folder's, truth, in one picture.

python experiments/translators/crops.py --small kodak/x4 --truth kodak/photos/test --name kodim23.png \\
    --box 300,150,460,350 --made SRResNet=sharp --made SRGAN=made --out crops.png
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from gan_jax.summaries.columns import with_column_names
from gan_jax.summaries.pictures import grid, save_png

GAP = 2  # pixels between crops


def sides(box: str) -> tuple[int, int, int, int]:
    """LEFT,TOP,RIGHT,BOTTOM as numbers."""
    left, top, right, bottom = map(int, box.split(","))
    return left, top, right, bottom


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", type=Path, required=True, help="the folder of what is enlarged")
    parser.add_argument("--truth", type=Path, required=True, help="the folder of the photographs themselves")
    parser.add_argument("--made", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--name", required=True, help="of the file in each folder")
    parser.add_argument("--box", action="append", required=True, metavar="LEFT,TOP,RIGHT,BOTTOM")
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    truth = Image.open(args.truth / args.name).convert("RGB")
    bicubic = Image.open(args.small / args.name).convert("RGB").resize(truth.size, Image.Resampling.BICUBIC)
    pictures = {"bicubic": bicubic}
    for made in args.made:
        name, _, folder = made.partition("=")
        pictures[name] = Image.open(Path(folder) / args.name).convert("RGB")
    pictures["truth"] = truth
    images = np.stack(
        [np.asarray(picture.crop(sides(box))) for box in args.box for picture in pictures.values()]
    )
    save_png(args.out, with_column_names(grid(images, len(pictures), GAP, args.scale), list(pictures)))
    sys.stdout.write(f"{len(args.box)} crops of {args.name} in {args.out}: {', '.join(pictures)}\n")


if __name__ == "__main__":
    main()
