"""Keras on TensorFlow: a step of one's own in `tf.function`, and the courses' loop with `train_on_batch`."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf

from experiments.speed.keras_networks import networks
from experiments.speed.works import Work


def discriminator_objective(loss: str, real: Any, fake: Any) -> Any:
    if loss == "non_saturating":
        return tf.reduce_mean(tf.nn.softplus(-real)) + tf.reduce_mean(tf.nn.softplus(fake))
    if loss == "hinge":
        return tf.reduce_mean(tf.nn.relu(1 - real)) + tf.reduce_mean(tf.nn.relu(1 + fake))
    return tf.reduce_mean(fake) - tf.reduce_mean(real)


def generator_objective(loss: str, fake: Any) -> Any:
    return tf.reduce_mean(tf.nn.softplus(-fake)) if loss == "non_saturating" else -tf.reduce_mean(fake)


def adam(work: Work) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(work.learning_rate, beta_1=work.b1, beta_2=work.b2, epsilon=1e-8)


class Function:
    """The whole step in one `tf.function`, with `tf.GradientTape`."""

    def __init__(self, work: Work, images: np.ndarray, xla: bool) -> None:
        keras.utils.set_random_seed(0)
        self.work = work
        self.generator, self.discriminator = networks(work)
        self.generator_tx, self.discriminator_tx = adam(work), adam(work)
        self.generator_tx.build(self.generator.trainable_variables)
        self.discriminator_tx.build(self.discriminator.trainable_variables)
        self.counted = {
            role: sum(int(np.prod(v.shape)) for v in getattr(self, role).trainable_variables)
            for role in ("generator", "discriminator")
        }
        self.batches = [tf.constant(step) for step in images]
        self.step = tf.function(self._step, jit_compile=xla or None)
        self.done = 0

    def _noise(self, count: int) -> Any:
        return tf.random.normal((count, self.work.latent_size))

    def discriminator_loss(self, real: Any, fake: Any) -> Any:
        judged = self.discriminator(real, training=True), self.discriminator(fake, training=True)
        loss = discriminator_objective(self.work.loss, *judged)
        return loss + self.work.penalty * self._penalty(real, fake) if self.work.penalty else loss

    def _penalty(self, real: Any, fake: Any) -> Any:
        """Gulrajani et al. 2017, arXiv:1704.00028, equation 3."""
        share = tf.random.uniform((real.shape[0], 1, 1, 1))
        return self.penalty_at(share * real + (1 - share) * fake)

    def penalty_at(self, x: Any) -> Any:
        """Of the points x alone."""
        with tf.GradientTape() as tape:
            tape.watch(x)
            logits = self.discriminator(x, training=True)
        slope = tape.gradient(logits, x)
        return tf.reduce_mean((tf.sqrt(tf.reduce_sum(slope**2, (1, 2, 3))) - 1) ** 2)

    def generator_loss(self, latent: Any) -> Any:
        return generator_objective(
            self.work.loss, self.discriminator(self.generator(latent, training=True), training=True)
        )

    def _step(self, batches: Any) -> None:
        size = batches.shape[1]
        for real in tf.unstack(batches):
            fake = self.generator(self._noise(size), training=True)
            loss = partial(self.discriminator_loss, real, fake)
            self._descend(loss, self.discriminator, self.discriminator_tx)
        loss = partial(self.generator_loss, self._noise(size))
        self._descend(loss, self.generator, self.generator_tx)

    def _descend(self, loss: Callable[[], Any], model: keras.Model, tx: Any) -> None:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in model.trainable_variables])
            value = loss()
        tx.apply(
            tape.gradient(value, [v.value for v in model.trainable_variables]), model.trainable_variables
        )

    def steps(self, count: int) -> None:
        """Trains so many steps, and returns when they are done."""
        for _ in range(count):
            self.step(self.batches[self.done % len(self.batches)])
            self.done += 1
        wait(self.generator)

    def parameters(self) -> dict[str, int]:
        """How many each player has."""
        return self.counted

    def device_bytes(self) -> int | None:
        """The device's own count of the most memory in use."""
        if not tf.config.list_physical_devices("GPU"):
            return None
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]


class Loop(Function):
    """The courses' loop: two descents of the discriminator, fakes from `predict`, and the combined model.

    Not quite the same arithmetic: each of the discriminator's halves has a descent of its own, and the fakes
    that it sees are made with BatchNorm's moving statistics.
    """

    def __init__(self, work: Work, images: np.ndarray) -> None:
        super().__init__(work, images, xla=False)
        self.host_batches = list(images)
        entropy = keras.losses.BinaryCrossentropy(from_logits=True)
        self.discriminator.compile(adam(work), entropy)
        self.combined = keras.Sequential([self.generator, self.discriminator])
        self.discriminator.trainable = False
        self.combined.compile(adam(work), entropy)
        self.numbers = np.random.default_rng(0)

    def _latent(self, count: int) -> np.ndarray:
        return self.numbers.standard_normal((count, self.work.latent_size), np.float32)

    def steps(self, count: int) -> None:
        """Trains so many steps, and returns when they are done."""
        for _ in range(count):
            real = self.host_batches[self.done % len(self.host_batches)][0]
            size = len(real)
            self.discriminator.trainable = True
            self.discriminator.train_on_batch(real, np.ones((size, 1), np.float32))
            fake = self.generator.predict(self._latent(size), verbose=0)
            self.discriminator.train_on_batch(fake, np.zeros((size, 1), np.float32))
            self.discriminator.trainable = False
            self.combined.train_on_batch(self._latent(size), np.ones((size, 1), np.float32))
            self.done += 1
        wait(self.generator)


def wait(model: keras.Model) -> None:
    """Until the last update of the model is there."""
    model.trainable_variables[0].numpy()


def make(variation: str, work: Work, images: np.ndarray) -> Any:
    """The contender of that name."""
    if variation == "keras-loop":
        return Loop(work, images)
    return Function(work, images, xla=variation == "tf-function-xla")
