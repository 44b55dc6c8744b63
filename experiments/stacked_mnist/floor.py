"""What the judge of Stacked-MNIST is worth, and what real digits score under its protocol: the floor.

    python experiments/stacked_mnist/floor.py

The judge is the classifier of MNIST, applied to each channel. The digits are MNIST's test images, which it
has not been trained on. The stacks are drawn as `gan_jax.data.stacked_mnist` draws them, as many as each
protocol judges.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from gan_jax import data
from gan_jax.data.stacked_mnist import stacked_digits
from gan_jax.feature_networks.classifier import predict
from gan_jax.feature_networks.classifier_cache import classifier
from gan_jax.metrics.modes import ModeCoverage, expected_modes, mode_coverage, stacked_labels

NUM_MODES = 1000
PROTOCOLS = {"Unrolled GAN": 25_600, "VEEGAN": 26_000}  # samples that are judged


def digits_of(split: str, data_dir: str | None) -> tuple[np.ndarray, np.ndarray]:
    """MNIST's digits as they are and as the classifier reads them, int [N] each."""
    arrays = data.load("mnist", data_dir=data_dir, split=split).arrays()
    return arrays["label"], predict(classifier("mnist", data_dir=data_dir), arrays["image"])


def floor(true: np.ndarray, read: np.ndarray, count: int, seed: int) -> tuple[ModeCoverage, float]:
    """What `count` stacks of real digits score against 1/1000 each, and the share of them that is read right.

    Args:
        true: the digits, int [N].
        read: what the classifier takes them for, int [N].
        count: stacks.
        seed: of the stacks.
    """
    chosen = stacked_digits(count, len(true), seed, "test")
    right = (true[chosen] == read[chosen]).all(axis=1)
    return mode_coverage(stacked_labels(read[chosen]), NUM_MODES), float(right.mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data_dir", help="where the data sets are; default $TFDS_DATA_DIR")
    parser.add_argument("--seeds", type=int, default=20, help="draws of the stacks")
    flags = parser.parse_args()
    true, read = digits_of("test", flags.data_dir)
    rates = [f"{np.mean(read[true == digit] == digit):.2%}" for digit in range(10)]
    lines = [
        f"Right on {np.mean(true == read):.2%} of {len(true):,} test digits (0 to 9: {', '.join(rates)}).",
        "",
    ]
    lines += [
        "| protocol | stacks | read right | modes | expected | KL | (K - 1) / 2n |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, count in PROTOCOLS.items():
        found = [floor(true, read, count, seed) for seed in range(flags.seeds)]
        modes, kl, right = np.array([[coverage.modes, coverage.kl, share] for coverage, share in found]).T
        lines.append(
            f"| {name} | {count:,} | {right.mean():.2%} | {modes.min():.0f} to {modes.max():.0f} | "
            f"{expected_modes(count, NUM_MODES):.1f} | {kl.mean():.4f} ± {kl.std(ddof=1):.4f} | "
            f"{(NUM_MODES - 1) / (2 * count):.4f} |"
        )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
