"""Where the held-out error of CycleGAN on emoji lies: margins, insides of the objects, sharpness.

python experiments/translators/emoji_errors.py --run runs/cyclegan
"""

import argparse
import sys

import jax
import numpy as np
from PIL import Image
from scipy import ndimage

from gan_jax.inference.conditions import true_rows
from gan_jax.inference.sample import compared_kind, make_sampler
from gan_jax.training.restore import restored_run, run_conditions

WHITE = 0.97  # a pixel whose channels are all above it is background


def shrunk(pictures: np.ndarray, share: float) -> np.ndarray:
    """Pictures in [0, 1], smaller by this share, in the middle of white."""
    side = pictures.shape[1]
    small, made = round(side * share), []
    for picture in pictures:
        white = Image.new("RGB", (side, side), (255, 255, 255))
        image = Image.fromarray(np.uint8(np.rint(255 * picture)))
        white.paste(image.resize((small, small), Image.Resampling.LANCZOS), ((side - small) // 2,) * 2)
        made.append(np.asarray(white) / 255)
    return np.stack(made)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", required=True, help="the folder of a run of configs/cyclegan_emoji.py")
    args = parser.parse_args()
    algorithm, spec, state = restored_run(args.run)
    conditions = run_conditions(args.run, algorithm)
    assert conditions is not None
    assert conditions.dataset is not None
    count = len(conditions.dataset)
    truth = true_rows(conditions, 0, count)
    made = make_sampler(algorithm, spec, conditions)(state, count, jax.random.key(0))
    kinds = {"source": made["source"], "made": compared_kind(made), "truth": truth}
    pictures = {kind: np.clip((np.asarray(images) + 1) / 2, 0, 1) for kind, images in kinds.items()}
    inside = pictures["truth"].min(-1) <= WHITE
    for kind, images in pictures.items():
        error = np.abs(images - pictures["truth"])
        sys.stdout.write(
            f"{kind}: white {(images.min(-1) > WHITE).mean():.3f}, L1 {error.mean():.4f}, inside the true "
            f"object {error[inside].mean():.4f}, outside {error[~inside].mean():.4f}\n"
        )
    small = np.abs(shrunk(pictures["source"], 0.9) - pictures["truth"]).mean()
    soft = np.abs(ndimage.gaussian_filter(pictures["made"], (0, 1, 1, 0)) - pictures["truth"]).mean()
    sys.stdout.write(f"source shrunk to nine tenths: L1 {small:.4f}; made, blurred by a pixel: {soft:.4f}\n")


if __name__ == "__main__":
    main()
