"""A classifier trained on an unbalanced or small set: with class weights, over-sampling, classic augmentation
or generated pictures, or several of them; and what it says of other pictures.

All choices have the same network, number of steps and size of a mini-batch, so that they can be compared.
These classifiers judge nothing and are not kept: those that do are in `classifier_cache`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.data.codecs import to_float
from gan_jax.data.sampler import IndexSampler
from gan_jax.feature_networks.classifier import Classifier
from gan_jax.feature_networks.classifier_training import Recipe, fit
from gan_jax.feature_networks.labelled import SMALLEST_SIDE, check_labelled
from gan_jax.utils.checks import check_count, check_range
from gan_jax.utils.errors import UserError
from gan_jax.utils.tree import PyTree

Balance = Literal["none", "weights", "oversample"]
Classic = Literal["shift", "flip"]
_SHIFTED = 14  # "shift" moves a picture by up to one part in so many of its side
_PREDICTED_AT_A_TIME = 500


@dataclass(frozen=True)
class Training:
    """How the classifier is trained.

    Attributes:
        steps: mini-batches.
        batch_size: images in each, real and generated ones together.
        balance: of the real images: "none" as they are; "weights", each class counts as much as any other
            in the loss; "oversample", each comes as often as any other.
        augment: "shift" moves an image by up to a 14th of its side, "flip" mirrors every other one.
        ratio: generated images for each real one in a mini-batch; as many of each class as of any other that
            there are generated ones of.
        widths: of the network; the narrow default takes seconds.
        learning_rate: as in `Recipe`.
    """

    steps: int = 600
    batch_size: int = 64
    balance: Balance = "none"
    augment: tuple[Classic, ...] = ()
    ratio: float = 0.0
    widths: tuple[int, ...] = (16, 32, 64)
    learning_rate: float = 2e-3

    def __post_init__(self) -> None:
        check_count(self.steps, "steps")
        check_count(self.batch_size, "batch_size")
        check_range(self.ratio, "ratio")
        if self.balance not in get_args(Balance):
            raise UserError(f"balance={self.balance!r}: choose {', '.join(get_args(Balance))}")
        if unknown := set(self.augment) - set(get_args(Classic)):
            raise UserError(f"augment={min(unknown)!r}: choose some of {', '.join(get_args(Classic))}")
        if self.ratio and not 0 < self.num_generated < self.batch_size:
            raise UserError(
                f"ratio={self.ratio:g}: of the {self.batch_size} images in a mini-batch "
                f"{self.num_generated} would be generated; choose one that leaves room for both kinds"
            )

    @property
    def num_generated(self) -> int:
        """Generated images in a mini-batch."""
        return round(self.batch_size * self.ratio / (1 + self.ratio))

    def recipe(self, side: int) -> Recipe:
        """The part of it that every classifier has, for images with this longer side."""
        shift = min(max(side // _SHIFTED, 1), SMALLEST_SIDE // 2) if "shift" in self.augment else 0
        return Recipe(
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            shift=shift,
            flip="flip" in self.augment,
        )


@dataclass(frozen=True)
class Labelled:
    """Images uint8 [N, H, W, C] and their labels, integers [N]."""

    images: np.ndarray
    labels: np.ndarray


def train_balanced(
    real: Labelled,
    num_classes: int,
    training: Training,
    *,
    generated: Labelled | None = None,
    seed: int = 0,
    progress: bool = True,
) -> PyTree:
    """Trains a classifier; the same arguments give the same weights.

    Args:
        real: every class is there.
        num_classes: K >= 2.
        training: how.
        generated: what `training.ratio` is about; of some of the classes, or all.
        seed: of the initial weights, the order, the dropout and the augmentation.
        progress: as `train_classifier`.

    Returns:
        The weights, for `predict_with`.

    Raises:
        UserError: a class without real images, a ratio without generated images or the other way round,
            images of another size; as `fit`.
    """
    check_labelled("the training set", real.images, real.labels, num_classes, whole=True)
    if (generated is None) != (training.ratio == 0):
        lacking = "no generated images" if generated is None else "generated images and no ratio of them"
        raise UserError(f"ratio={training.ratio:g} with {lacking}: give both, or neither")
    images, labels = real.images, real.labels
    parts = [_of_all(real.labels, training, seed)]
    weights = _weights(real.labels, num_classes)[real.labels] if training.balance == "weights" else None
    if generated is not None:
        check_labelled("the generated set", generated.images, generated.labels, num_classes)
        if generated.images.shape[1:] != images.shape[1:]:
            raise UserError(
                f"the generated images are {generated.images.shape[1:]} and the real ones "
                f"{images.shape[1:]}: they must have one size and number of channels"
            )
        images = np.concatenate([images, generated.images])
        labels = np.concatenate([labels, generated.labels])
        if weights is not None:  # generated ones are of all classes alike as they are
            weights = np.concatenate([weights, np.ones(len(generated.labels), np.float32)])
        of_each = evenly(generated.labels, training.num_generated, seed)
        parts.append(lambda first, count: of_each(first, count) + np.int32(len(real.labels)))
    return fit(
        Classifier(num_classes, training.widths),
        images,
        labels,
        lambda first, count: np.concatenate([part(first, count) for part in parts], axis=1),
        training.recipe(max(images.shape[1:3])),
        steps=training.steps,
        seed=seed,
        progress=progress,
        image_weights=weights,
    )


def _of_all(labels: np.ndarray, training: Training, seed: int) -> Callable[[int, int], np.ndarray]:
    """The real images of mini-batches."""
    count = training.batch_size - training.num_generated
    if training.balance == "oversample":
        return evenly(labels, count, seed)
    # One at a time, so that a mini-batch may be larger than the set.
    sampler = IndexSampler(len(labels), 1, seed=seed)
    return lambda first, batches: sampler.minibatch(first * count, batches * count).reshape(batches, count)


def evenly(labels: np.ndarray, count: int, seed: int) -> Callable[[int, int], np.ndarray]:
    """(first, n) -> int32 [n, count]: mini-batches in which the classes take turns.

    Each class has its own endless order, without replacement within a pass over it.
    """
    own = [np.flatnonzero(labels == label).astype(np.int32) for label in np.unique(labels)]
    samplers = [IndexSampler(len(indices), 1, seed=seed) for indices in own]

    def batches(first: int, n: int) -> np.ndarray:
        places = np.arange(first * count, (first + n) * count)
        chosen, turn = np.empty(len(places), np.int32), len(own)
        for number, (indices, sampler) in enumerate(zip(own, samplers, strict=True)):
            here = np.flatnonzero(places % turn == number)
            if len(here):
                chosen[here] = indices[sampler.minibatch(int(places[here[0]]) // turn, len(here))[:, 0]]
        return chosen.reshape(n, count)

    return batches


def _weights(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """float32 [K]: in inverse proportion to the classes' sizes, 1 on the average over the images."""
    return (len(labels) / num_classes / np.bincount(labels, minlength=num_classes)).astype(np.float32)


def predict_with(weights: PyTree, training: Training, num_classes: int, images: np.ndarray) -> np.ndarray:
    """The class int32 [N] that a classifier of `train_balanced` takes each image uint8 [N, H, W, C] for."""
    model, found = Classifier(num_classes, training.widths), np.empty(len(images), np.int32)
    for start in range(0, len(images), _PREDICTED_AT_A_TIME):
        batch = images[start : start + _PREDICTED_AT_A_TIME]
        padding = [(0, _PREDICTED_AT_A_TIME - len(batch))] + [(0, 0)] * 3  # always one program
        classes = _classes(model, weights, np.pad(batch, padding))
        found[start : start + len(batch)] = np.asarray(classes)[: len(batch)]
    return found


@partial(jax.jit, static_argnums=0)
def _classes(model: Classifier, weights: PyTree, images: jax.Array) -> jax.Array:
    outputs: Any = model.apply(weights, to_float(images))
    return jnp.argmax(outputs[1], axis=-1).astype(jnp.int32)
