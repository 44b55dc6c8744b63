"""Which kinds of garment a run's samples show, by their nearest neighbours among the real images.

    python experiments/dcgan_fashion_mnist/classes.py --workdir runs/dcgan_fashion_mnist

Each sample gets the majority label of its 5 nearest training images in pixel space (ties: the smaller
label); the same classifier's accuracy on the test split says how far to trust it. Also the distance from
the samples, and from as many test images, to the nearest training image: a generator that copies would
come out near 0, a collapsed one with few classes.
"""

import argparse
import sys
from pathlib import Path

import jax
import numpy as np

from gan_jax import data
from gan_jax.cli.commands import restored_run
from gan_jax.inference.sample import make_sampler

NEIGHBOURS = 5
CHUNK = 250  # queries at a time


def neighbours(queries: np.ndarray, reals: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels by majority [Q] and RMS distance per pixel to the nearest real [Q], for images in [-1, 1]."""
    flat = reals.reshape(len(reals), -1)
    norms = np.square(flat).sum(1)
    found, distances = [], []
    for start in range(0, len(queries), CHUNK):
        part = queries[start : start + CHUNK].reshape(-1, flat.shape[1])
        squared = norms[None] - 2 * part @ flat.T + np.square(part).sum(1)[:, None]
        near = np.argpartition(squared, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        found += [np.bincount(labels[row]).argmax() for row in near]
        distances.append(np.sqrt(np.maximum(squared.min(1), 0) / flat.shape[1]))
    return np.array(found), np.concatenate(distances)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--num", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data_dir", default=None)
    args = parser.parse_args()
    algorithm, spec, state = restored_run(Path(args.workdir))
    samples = make_sampler(algorithm, spec)(state, args.num, jax.random.key(args.seed))
    sets = [data.load("fashion_mnist", data_dir=args.data_dir, split=split) for split in ("train", "test")]
    train, test = (dataset.arrays() for dataset in sets)
    reals, held_out = (x["image"].astype(np.float32) / 127.5 - 1 for x in (train, test))
    held_out, truth = held_out[: args.num], test["label"][: args.num]
    guessed, real_distance = neighbours(held_out, reals, train["label"])
    classes, distance = neighbours(samples, reals, train["label"])
    counts = np.bincount(classes, minlength=len(sets[0].class_names))
    lines = [f"step {int(state.step)}, {args.num} samples, seed {args.seed}"]
    lines += [f"{name:12s} {n / args.num:6.1%}" for name, n in zip(sets[0].class_names, counts, strict=True)]
    lines += [
        f"accuracy of the classifier on {len(truth)} test images: {np.mean(guessed == truth):.1%}",
        f"median distance to the nearest training image, RMS per pixel of [-1, 1]: samples "
        f"{np.median(distance):.3f} (least {distance.min():.3f}), test images {np.median(real_distance):.3f} "
        f"(least {real_distance.min():.3f})",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
