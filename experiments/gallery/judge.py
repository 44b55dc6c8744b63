"""Whether a conditional run's samples show what was asked for, as a classifier of the real images sees it.

    python experiments/gallery/judge.py --workdir runs/cgan_mnist runs/acgan_mnist

Trains a small convolutional classifier on the runs' training split (4 epochs, fixed seed), says how well it
does on the test split, and how many of a generator's samples of each class it takes for that class. The
categories of InfoGAN have no names: for each the table has the class that most of its samples are taken for.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax import data
from gan_jax.commands import restored_run
from gan_jax.data import Sampler, to_float
from gan_jax.errors import UserError
from gan_jax.models.layers import Conv, Dropout
from gan_jax.sample import make_sampler
from gan_jax.workdir import recorded_run

EPOCHS, BATCH = 4, 128


class Classifier(nn.Module):
    """Images [B, H, W, C] in [-1, 1] -> logits [B, classes]."""

    classes: int

    @nn.compact
    def __call__(self, image: jax.Array, train: bool) -> jax.Array:
        x = image
        for index, features in enumerate((32, 64)):
            x = nn.relu(Conv(features, 5, stride=2, name=f"conv_{index}")(x))
        x = nn.relu(nn.Dense(128, name="hidden")(x.reshape(x.shape[0], -1)))
        return nn.Dense(self.classes, name="logits")(Dropout(0.5)(x, train))


def train_classifier(reals: data.Dataset, seed: int = 0) -> tuple[Classifier, Any]:
    """The classifier and its parameters after EPOCHS passes over the reals."""
    images, labels = reals.arrays()["image"], reals.arrays()["label"]
    model = Classifier(int(labels.max()) + 1)
    params = model.init(jax.random.key(seed), to_float(jnp.asarray(images[:1])), train=False)
    steps = EPOCHS * len(labels) // BATCH
    tx = optax.adam(optax.cosine_decay_schedule(1e-3, steps))
    sampler = Sampler(len(labels), BATCH, seed=seed)

    @jax.jit
    def step(params, opt, image, label, key):
        def loss(params):
            logits = model.apply(params, to_float(image), True, rngs={"dropout": key})
            return optax.losses.softmax_cross_entropy_with_integer_labels(logits, label).mean()

        changes, opt = tx.update(jax.grad(loss)(params), opt)
        return optax.apply_updates(params, changes), opt

    opt = tx.init(params)
    for number in range(steps):
        chosen = sampler.minibatch(number)[0]
        key = jax.random.fold_in(jax.random.key(seed), number)
        params, opt = step(params, opt, images[chosen], labels[chosen], key)
    return model, params


@dataclass(frozen=True)
class Judge:
    """A classifier of one data set, and how far to trust it."""

    class_names: tuple[str, ...]
    named: Callable[[np.ndarray], np.ndarray]  # images [N, H, W, C] in [-1, 1] -> classes [N]
    accuracy: float  # on the test split


@cache
def judge_of(name: str, data_dir: str | None) -> Judge:
    """The judge of a data set."""
    reals, held_out = (data.load(name, data_dir=data_dir, split=split) for split in ("train", "test"))
    model, params = train_classifier(reals)

    @jax.jit
    def predict(image: jax.Array) -> jax.Array:
        logits: Any = model.apply(params, image, False)
        return jnp.argmax(logits, axis=-1)

    def named(images: np.ndarray) -> np.ndarray:
        return np.concatenate([predict(part) for part in np.array_split(images, -(-len(images) // 500))])

    test = held_out.arrays()
    right = named(np.asarray(to_float(jnp.asarray(test["image"])))) == test["label"]
    return Judge(reals.class_names, named, float(np.mean(right)))


def report(workdir: Path, num: int, seed: int, data_dir: str | None) -> str:
    """What the judge says of `num` samples of each class of a run."""
    algorithm, spec, state = restored_run(workdir)
    if algorithm.num_classes is None:
        raise UserError(f"the run in {workdir} is unconditional; give one that samples by class")
    judge = judge_of(recorded_run(workdir)[0].data.name, data_dir)
    asked = np.repeat(np.arange(algorithm.num_classes), num)
    samples = make_sampler(algorithm, spec)(state, len(asked), jax.random.key(seed), asked)
    found = judge.named(samples).reshape(algorithm.num_classes, num)
    told = algorithm.generator.conditional
    lines = [
        f"{workdir}: step {int(state.step)}, {num} samples of each class, seed {seed}",
        f"the classifier is right on {judge.accuracy:.2%} of the test images",
    ]
    shares = []
    for row, classes in enumerate(found):
        taken = row if told else int(np.bincount(classes).argmax())
        shares.append(np.mean(classes == taken))
        lines.append(
            f"{'class' if told else 'category'} {row}: {shares[-1]:6.1%} taken for {judge.class_names[taken]}"
        )
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
