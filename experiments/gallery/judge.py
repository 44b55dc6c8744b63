"""Whether a conditional run's samples show what was asked for, as a classifier of the real images sees it.

    python experiments/gallery/judge.py --workdir runs/cgan_mnist runs/acgan_mnist

Takes the classifier of the runs' data set (`gan_jax.feature_networks.classifier_cache`, trained at the first
use), says how well it does on the test split, and how many of a generator's samples of each class it takes
for that class. The categories of InfoGAN have no names: for each the table has the class that most of its
samples are taken for.
"""

import argparse
import sys
from pathlib import Path

import jax
import numpy as np

from gan_jax.cli.commands import restored_run
from gan_jax.data.codecs import Pixels
from gan_jax.feature_networks.classifier import predict
from gan_jax.feature_networks.classifier_cache import prepare_classifier
from gan_jax.inference.sample import make_sampler
from gan_jax.training.workdir import recorded_run
from gan_jax.utils.errors import UserError


def report(workdir: Path, num: int, seed: int, data_dir: str | None) -> str:
    """What the judge says of `num` samples of each class of a run."""
    algorithm, spec, state = restored_run(workdir)
    if algorithm.num_classes is None:
        raise UserError(f"the run in {workdir} is unconditional; give one that samples by class")
    config, _, record = recorded_run(workdir)
    name = config.data.name
    judge = prepare_classifier(name, data_dir=data_dir, options=record["data"]["options"])
    if judge.test_accuracy is None:
        raise UserError(f"{name} has no labelled test split, so its classifier cannot be trusted")
    asked = np.repeat(np.arange(algorithm.num_classes), num)
    samples = make_sampler(algorithm, spec)(state, len(asked), jax.random.key(seed), asked)
    found = predict(judge.network, Pixels().encode(samples)).reshape(algorithm.num_classes, num)
    told = algorithm.generator.conditional
    lines = [
        f"{workdir}: step {int(state.step)}, {num} samples of each class, seed {seed}",
        f"the classifier is right on {judge.test_accuracy:.2%} of the test images",
    ]
    shares = []
    for row, classes in enumerate(found):
        taken = row if told else int(np.bincount(classes).argmax())
        shares.append(np.mean(classes == taken))
        kind, meaning = "class" if told else "category", judge.about["class_names"][taken]
        lines.append(f"{kind} {row}: {shares[-1]:6.1%} taken for {meaning}")
    return "\n".join([*lines, f"together: {np.mean(shares):.1%}", ""])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workdir", required=True, nargs="+")
    parser.add_argument("--num", type=int, default=500, help="samples of each class")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data_dir", default=None)
    args = parser.parse_args()
    for workdir in args.workdir:
        sys.stdout.write(report(Path(workdir), args.num, args.seed, args.data_dir) + "\n")


if __name__ == "__main__":
    main()
