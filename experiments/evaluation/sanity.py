"""Do the scores say what they should? Real images, ever more spoilt, against real images.

    python experiments/evaluation/sanity.py --data_set fashion_mnist

The reals are the training split, the fakes the 10,000 test images: as they are, with Gaussian noise, blurred,
and with classes left out (those that stay are repeated up to 10,000). Writes a table and a figure beside this
file. The network is the data set's own classifier.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageFilter

from gan_jax import data
from gan_jax.evaluation.evaluate import Evaluator
from gan_jax.evaluation.generated import GeneratedSet
from gan_jax.evaluation.networks import open_network
from gan_jax.evaluation.sources.image_source import array_source
from gan_jax.evaluation.sources.sources import dataset_source

matplotlib.use("agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).parent
METRICS = ("fid", "kid", "inception_score", "prdc")
SHOWN = ("fid", "kid", "inception_score", "precision", "recall", "density", "coverage")
NOISE = (0, 8, 16, 32, 64, 128)  # standard deviation, of 255
BLUR = (0.0, 0.5, 0.75, 1.0, 1.5, 2.0)  # pixels
DROPPED = (0, 1, 2, 4, 6, 8)  # classes, the last ones


def noisy(images: np.ndarray, deviation: float) -> np.ndarray:
    """With Gaussian noise, clipped to 0 to 255."""
    noise = np.random.default_rng(0).normal(0, deviation, images.shape) if deviation else 0.0
    return np.clip(np.rint(images + noise), 0, 255).astype(np.uint8)


def blurred(images: np.ndarray, radius: float) -> np.ndarray:
    """With Pillow's Gaussian blur."""
    blur = ImageFilter.GaussianBlur(radius)
    spoilt = [np.asarray(Image.fromarray(image[..., 0]).filter(blur)) for image in images]
    return np.stack(spoilt)[..., None]


def without(images: np.ndarray, labels: np.ndarray, classes: int, num_classes: int) -> np.ndarray:
    """Of the first classes only, repeated up to the same number."""
    kept = images[labels < num_classes - classes]
    return kept[np.arange(len(images)) % len(kept)]


def spoilt(images: np.ndarray, labels: np.ndarray) -> Iterator[tuple[str, float, np.ndarray]]:
    """(how, how much, the images)."""
    for deviation in NOISE:
        yield "noise", deviation, noisy(images, deviation)
    for radius in BLUR:
        yield "blur", radius, blurred(images, radius) if radius else images
    for classes in DROPPED:
        yield "dropped classes", classes, without(images, labels, classes, 10)


def measured(name: str, data_dir: str | None) -> tuple[str, list[tuple[str, float, dict[str, float]]]]:
    """The protocol, and the scores of all that is spoilt."""
    real = dataset_source(data.load(name, data_dir=data_dir, split="train"))
    test = data.load(name, data_dir=data_dir, split="test").arrays()
    network = open_network("classifier", real, data_dir=data_dir)
    evaluator = Evaluator(METRICS, real, network, num_fakes=len(test["image"]))
    rows = []
    for how, amount, images in spoilt(test["image"], test["label"]):
        record = evaluator(GeneratedSet(source=array_source(f"{how} {amount}", images)))
        scores = {score: record.scores[score].value for score in SHOWN}
        rows.append((how, amount, scores))
        sys.stdout.write(f"{how} {amount}: {scores}\n")
    return str(evaluator.setting), rows


def table(protocol: str, rows: list[tuple[str, float, dict[str, float]]]) -> str:
    """Markdown."""
    lines = [["test images with", "", *SHOWN], ["---"] * (len(SHOWN) + 2)]
    for how, amount, scores in rows:
        lines.append([how, f"{amount:g}", *(f"{scores[score]:.4g}" for score in SHOWN)])
    return "\n".join(["| " + " | ".join(line) + " |" for line in lines] + ["", f"Protocol: {protocol}.", ""])


def figure(rows: list[tuple[str, float, dict[str, float]]], path: Path) -> None:
    """A row of panels for each score, a column for each way to spoil."""
    kinds = list(dict.fromkeys(how for how, _, _ in rows))
    drawn = ("fid", "kid", "inception_score", ("precision", "recall"), ("density", "coverage"))
    fig, axes = plt.subplots(len(drawn), len(kinds), figsize=(9, 10), sharex="col", layout="constrained")
    units = {"noise": "standard deviation of 255", "blur": "radius, pixels", "dropped classes": "of 10"}
    for column, how in enumerate(kinds):
        part = [(amount, scores) for kind, amount, scores in rows if kind == how]
        for row, names in enumerate(drawn):
            ax = axes[row][column]
            for name in (names,) if isinstance(names, str) else names:
                ax.plot([a for a, _ in part], [s[name] for _, s in part], marker="o", label=name)
            ax.set_ylim(bottom=0)
            ax.legend(fontsize=7)
        axes[0][column].set_title(how)
        axes[-1][column].set_xlabel(units[how])
    fig.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data_set", default="fashion_mnist", choices=("mnist", "fashion_mnist", "kmnist"))
    parser.add_argument("--data_dir", default=None)
    args = parser.parse_args()
    protocol, rows = measured(args.data_set, args.data_dir)
    (HERE / f"sanity_{args.data_set}.md").write_text(table(protocol, rows))
    figure(rows, HERE / f"sanity_{args.data_set}.png")


if __name__ == "__main__":
    main()
