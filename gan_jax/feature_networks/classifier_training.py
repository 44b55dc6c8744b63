"""The training of the classifier of small images.

Adam with a warm-up and a cosine decay to 0 (Loshchilov and Hutter 2017, arXiv:1608.03983), dropout, and
images that are moved a little. All that is random is a function of the seed and the step; the images lie
on the device, and a compiled call makes many steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax.core.loop import PeriodicWork, StepMetrics, repeat_step, run_steps
from gan_jax.core.randomness import INIT
from gan_jax.core.update import Metrics
from gan_jax.data.codecs import to_float
from gan_jax.data.sampler import IndexSampler
from gan_jax.data.transforms import random_flip
from gan_jax.feature_networks.classifier import NUM_FEATURES, Classifier, layers_of
from gan_jax.feature_networks.labelled import SMALLEST_SIDE, check_labelled
from gan_jax.utils.checks import check_count, check_range
from gan_jax.utils.errors import UserError
from gan_jax.utils.progress import Progress
from gan_jax.utils.tree import PyTree

Array = jax.Array

_STEPS_PER_CALL = 50
_SETTLING_STEPS = 50  # at the end, with the rate 0: the statistics are those of the final weights


class _State(NamedTuple):
    weights: PyTree  # {"params": ..., "batch_stats": ...}
    opt: optax.OptState
    step: Array  # int32 [], completed steps


@dataclass(frozen=True)
class Recipe:
    """How a classifier is trained; a cached one is kept under all of it.

    Attributes:
        epochs: passes over the images.
        batch_size: images in a step; all of them where there are fewer.
        learning_rate: the highest of the schedule.
        warmup: share of the steps in which the learning rate rises to it.
        dropout: before and after the hidden layer.
        shift: pixels by which an image is moved at most, up or down and left or right; what comes in
            repeats the border.
        flip: mirror every other image left to right. Not for digits.
    """

    epochs: int = 8
    batch_size: int = 128
    learning_rate: float = 2e-3
    warmup: float = 0.1
    dropout: float = 0.25
    shift: int = 1
    flip: bool = False

    def __post_init__(self) -> None:
        check_count(self.epochs, "epochs")
        check_count(self.batch_size, "batch_size")
        check_range(self.learning_rate, "learning_rate")
        check_range(self.warmup, "warmup", 0.0, 0.9)
        check_range(self.dropout, "dropout", 0.0, 0.9)
        check_range(self.shift, "shift", 0, SMALLEST_SIDE // 2)


def train_classifier(
    images: np.ndarray,
    labels: np.ndarray,
    num_classes: int,
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
    progress: bool = True,
) -> PyTree:
    """Trains a classifier; the same arguments give the same weights.

    Args:
        images: uint8 [N, H, W, C] with H, W >= 8.
        labels: integers [N] in [0, num_classes); every class is there.
        num_classes: K >= 2.
        recipe: None for the default one.
        seed: of the initial weights, the order, the dropout and the augmentation; 0 <= seed < 2**32.
        progress: show a bar on a terminal, or a line now and then, on standard error.

    Returns:
        {"params": ..., "batch_stats": ...}, for `classifier_network`.

    Raises:
        UserError: see `check_labelled`; a seed out of range; a training that ends in NaN.
    """
    recipe = recipe or Recipe()
    check_labelled("the training set", images, labels, num_classes, whole=True)
    if not 0 <= seed < 2**32:
        raise UserError(f"the classifier's seed is {seed}: it must be an integer from 0 to 2**32 - 1")
    sampler = IndexSampler(len(images), min(recipe.batch_size, len(images)), seed=seed, remainder="carry")
    steps, model = num_steps(recipe, len(images)), Classifier(num_classes)
    return fit(model, images, labels, sampler.minibatch, recipe, steps=steps, seed=seed, progress=progress)


def fit(
    model: Classifier,
    images: np.ndarray,
    labels: np.ndarray,
    batches: Callable[[int, int], np.ndarray],
    recipe: Recipe,
    *,
    steps: int,
    seed: int,
    progress: bool,
    image_weights: np.ndarray | None = None,
) -> PyTree:
    """Trains a classifier on mini-batches that are chosen elsewhere.

    Args:
        model: untrained.
        images, labels: as for `train_classifier`; not all of them need occur.
        batches: (first, count) -> int32 [count, B], the images of these mini-batches.
        recipe: all of it but the numbers of epochs and of images in a step.
        steps: in which the learning rate falls to 0; the settling ones come after them.
        seed: of the initial weights, the dropout and the augmentation.
        progress: as for `train_classifier`.
        image_weights: float32 [N], by which the losses are multiplied; None for 1.

    Raises:
        UserError: a training that ends in NaN.
    """
    key = jax.random.key(seed)
    one = jnp.zeros((1, *images.shape[1:]))
    weights: PyTree = model.init(jax.random.fold_in(key, INIT), one)
    constants = {
        "images": jnp.asarray(_bordered(images, recipe.shift)),
        "labels": jnp.asarray(labels, jnp.int32),
        "key": key,
        "steps": jnp.int32(steps),
    }
    if image_weights is not None:
        constants["image_weights"] = jnp.asarray(image_weights, jnp.float32)

    def call(state: _State, step: int, count: int) -> tuple[_State, Metrics]:
        indices = np.pad(batches(step, count), ((0, _STEPS_PER_CALL - count), (0, 0)))
        return _train_steps(state, constants, indices, count, recipe, model)

    state = _State(weights, optax.scale_by_adam().init(weights["params"]), jnp.int32(0))
    losses: list[float] = []
    last = steps + _SETTLING_STEPS
    bars = [_Bar(last)] if progress else []
    work = PeriodicWork(bars, last, lambda step, metrics: losses.append(float(metrics["loss"][-1])))
    state, _, _ = run_steps(call, state, 0, last, _STEPS_PER_CALL, work)
    for bar in bars:
        bar.close()
    if not np.isfinite(losses[-1]):
        raise UserError(
            f"the training of the classifier ended with a loss of {losses[-1]}: choose a smaller "
            f"learning_rate than {recipe.learning_rate:g}"
        )
    return state.weights


def num_steps(recipe: Recipe, num_images: int) -> int:
    """Steps of a training: `recipe.epochs` passes, the last batch in full."""
    return -(-recipe.epochs * num_images // min(recipe.batch_size, num_images))


def operations(recipe: Recipe, image_shape: tuple[int, int, int], num_images: int) -> float:
    """Floating-point operations of a training: what its time is in proportion to."""
    height, width, channels = image_shape
    products = 0
    for features, size, stride in layers_of((height, width)):
        height, width = -(-height // stride), -(-width // stride)
        products += height * width * size**2 * channels * features
        channels = features
    products += height * width * channels * NUM_FEATURES
    # A product is two operations; forward, and backward to the inputs and to the weights.
    return 6.0 * products * num_steps(recipe, num_images) * min(recipe.batch_size, num_images)


def _rate(recipe: Recipe, steps: Array | int, step: Array) -> Array:
    """The learning rate of a step: up in a line, down as half a cosine, 0 from `steps` on."""
    warm = jnp.floor(recipe.warmup * steps)
    fallen = jnp.clip((step - warm) / jnp.maximum(steps - warm, 1.0), 0.0, 1.0)
    return recipe.learning_rate * jnp.where(
        step < warm, (step + 1.0) / (warm + 1.0), 0.5 * (1.0 + jnp.cos(jnp.pi * fallen))
    )


@partial(jax.jit, static_argnames=("recipe", "model"), donate_argnums=0)
def _train_steps(
    state: _State, constants: PyTree, indices: Array, count: int, recipe: Recipe, model: Classifier
) -> tuple[_State, Metrics]:
    """`count` steps on the images with the indices [_STEPS_PER_CALL, B]; images with a border of `shift`."""

    def step(state: _State, constants: PyTree, chosen: Array) -> tuple[_State, Metrics]:
        drawn, dropped = jax.random.split(jax.random.fold_in(constants["key"], state.step))
        image = to_float(_augmented(constants["images"], chosen, drawn, recipe))

        def loss(params: PyTree) -> tuple[Array, PyTree]:
            outputs: Any = model.apply(
                {**state.weights, "params": params},
                image,
                True,
                recipe.dropout,
                rngs={"dropout": dropped},
                mutable=["batch_stats"],
            )
            (_, logits, _), stats = outputs
            label = constants["labels"][chosen]
            losses = optax.losses.softmax_cross_entropy_with_integer_labels(logits, label)
            if "image_weights" in constants:
                losses = losses * constants["image_weights"][chosen]
            return losses.mean(), stats

        (value, stats), gradient = jax.value_and_grad(loss, has_aux=True)(state.weights["params"])
        direction, opt = optax.scale_by_adam().update(gradient, state.opt)
        rate = _rate(recipe, constants["steps"], state.step)
        params = jax.tree.map(lambda old, change: old - rate * change, state.weights["params"], direction)
        return _State({"params": params, **stats}, opt, state.step + 1), {"loss": value}

    return repeat_step(step, _STEPS_PER_CALL)(state, constants, indices, jnp.int32(count))


class _Bar:
    """Shows how far the training is, after every call."""

    every_steps = _STEPS_PER_CALL

    def __init__(self, last_step: int) -> None:
        self._progress = Progress(num_steps=last_step, first_step=0)
        self._begun = time.monotonic()

    def __call__(self, step: int, state: _State, metrics: StepMetrics) -> None:
        rate = step / max(time.monotonic() - self._begun, 1e-9)
        self._progress.update(step, {"loss": float(metrics["loss"][-1])}, rate)

    def close(self) -> None:
        self._progress.close()


def _bordered(images: np.ndarray, shift: int) -> np.ndarray:
    """Images [N, H + 2 shift, W + 2 shift, C] whose border pixels are repeated."""
    return np.pad(images, ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode="edge")


def _augmented(images: Array, chosen: Array, key: Array, recipe: Recipe) -> Array:
    """The images with the indices [B] without their borders, moved and mirrored."""
    size = (images.shape[1] - 2 * recipe.shift, images.shape[2] - 2 * recipe.shift)
    moves, flips = jax.random.split(key)
    offsets = jax.random.randint(moves, (len(chosen), 2), 0, 2 * recipe.shift + 1)

    def cut(index: Array, offset: Array) -> Array:
        corner = (index, offset[0], offset[1], 0)
        return jax.lax.dynamic_slice(images, corner, (1, *size, images.shape[3]))[0]

    image = jax.vmap(cut)(chosen, offsets)
    return random_flip(image, jax.random.split(flips, len(chosen))) if recipe.flip else image
