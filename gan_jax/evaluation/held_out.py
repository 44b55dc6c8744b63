"""What a run's averaged networks say of held-out examples: their bits, and themselves made again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.core.algorithm import Algorithm
from gan_jax.core.state import TrainState
from gan_jax.core.update import Array, Key
from gan_jax.data.codecs import Tiles
from gan_jax.data.spec import DataSpec
from gan_jax.inference.sample import CHUNK
from gan_jax.utils.errors import UserError

# (state, stored [B, ...], labels int32 [B], key) -> [B] of each example, or [B, n]
Judge = Callable[[TrainState, Any, Any, Key], Array]
# (seed, stored [N, ...], labels int32 [N] or None) -> float64 [N] or [N, n]
OfRows = Callable[[int, np.ndarray, np.ndarray | None], np.ndarray]


def bits_of(algorithm: Algorithm, spec: DataSpec) -> Judge | None:
    """`Algorithm.bits` of stored examples; None of a method without a likelihood."""
    codec = spec.fields["image"].codec
    if algorithm.bits_kind is None:
        return None

    def bits(state: TrainState, stored: Array, labels: Array, key: Key) -> Array:
        return algorithm.bits(state, {"image": codec.decode(stored), "label": labels}, key)

    return jax.jit(bits)


def errors_of(algorithm: Algorithm, spec: DataSpec) -> Judge | None:
    """Mean absolute and squared difference between examples and what the method makes of their latents.

    [B, 2], of values in [0, 1]; of points in their units. None of a method that encodes nothing.
    """
    codec = spec.fields["image"].codec
    if not algorithm.has_encoder:
        return None
    unit = 0.5 if codec.bounded and not isinstance(codec, Tiles) else 1.0  # tiles are in [0, 1] already

    def errors(state: TrainState, stored: Array, labels: Array, key: Key) -> Array:
        image = codec.decode(stored)
        told = algorithm.conditioning({"image": image, "label": labels}, state)
        made = algorithm.draw(state, algorithm.encode(state, image, told), told)
        difference = unit * (made - image).reshape(image.shape[0], -1)
        return jnp.stack([jnp.mean(jnp.abs(difference), 1), jnp.mean(difference**2, 1)], axis=1)

    return jax.jit(errors)


@dataclass(frozen=True)
class Judged:
    """What a `Judge` says with these weights of any number of rows.

    Attributes:
        judge: compiled.
        state: the weights.
        spec: what the networks know of the data.
        classes: those of a conditional method, whose rows need labels; None of others.
    """

    judge: Judge
    state: TrainState
    spec: DataSpec
    classes: int | None

    def __call__(self, seed: int, stored: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
        """Of each row, float64.

        Raises:
            UserError: rows that the run cannot take; numbers that are not finite.
        """
        field = self.spec.fields["image"]
        if stored.shape[1:] != field.stored_shape or stored.dtype != field.codec.dtype:
            raise UserError(
                f"the held-out examples are {stored.dtype} {list(stored.shape[1:])}, and the run's "
                f"{field.codec.noun} {np.dtype(field.codec.dtype)} {list(field.stored_shape)}: give such"
            )
        if self.classes is not None and (labels is None or labels.max() >= self.classes):
            raise UserError(f"the run is conditional: give held-out examples with its {self.classes} labels")
        labels = np.zeros(len(stored), np.int32) if labels is None else labels.astype(np.int32)
        parts = []
        for number, start in enumerate(range(0, len(stored), CHUNK)):
            rows = np.minimum(np.arange(start, start + CHUNK), len(stored) - 1)  # always one program
            key = jax.random.fold_in(jax.random.key(seed), number)
            found = self.judge(self.state, stored[rows], labels[rows], key)
            parts.append(np.asarray(found, np.float64)[: len(stored) - start])
        whole = np.concatenate(parts)
        if not np.isfinite(whole).all():
            raise UserError("what the run says of held-out examples is not finite: the training has diverged")
        return whole
