"""The averaged generator of a run as a function of its latents, z or styles w."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from gan_jax.core.algorithm import Algorithm
from gan_jax.core.state import TrainState
from gan_jax.core.styles import NO_TRUNCATION, Truncation, truncate
from gan_jax.core.update import Array
from gan_jax.data.spec import DataSpec
from gan_jax.inference.sample import CHUNK, drawable
from gan_jax.inference.truncation import truncated
from gan_jax.utils.errors import UserError
from gan_jax.utils.tree import PyTree

Space = Literal["z", "w"]


@dataclass(frozen=True)
class Latents:
    """Points of a latent space.

    Attributes:
        space: "z", the generator's input, or "w", the styles that its mapping makes of it.
        values: float32 [N, L] of z, [N, layers, D] of w.
        labels: int32 [N] of a conditional generator; None of others.
    """

    space: Space
    values: np.ndarray
    labels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, indices: Sequence[int] | np.ndarray) -> Latents:
        """Those with these indices."""
        taken = np.asarray(indices, np.int64)
        labels = None if self.labels is None else self.labels[taken]
        return dataclasses.replace(self, values=self.values[taken], labels=labels)

    def moved(self, values: np.ndarray) -> Latents:
        """Other values [N, ...] with the labels of these."""
        return dataclasses.replace(self, values=np.asarray(values, np.float32))


class LatentGenerator:
    """Images of latents of any kind that the generator has.

    Args:
        algorithm: the run's.
        spec: what it knows of the data.
        state: the weights.
        truncation: of the styles of every image, see `core.styles.Truncation`.

    Attributes:
        spaces: ("z", "w") of a style generator, ("z",) of others.

    Raises:
        UserError: a method that makes no images of latents alone; examples that have no pictures; truncation
            of a generator that keeps no mean of its styles.
    """

    def __init__(
        self, algorithm: Algorithm, spec: DataSpec, state: TrainState, truncation: Truncation = NO_TRUNCATION
    ) -> None:
        name = type(algorithm).__name__
        if not algorithm.has_latent_path:
            made_of = ", ".join(algorithm.conditions)
            remedy = f"fields of the data ({made_of})" if made_of else "other things than latents alone"
            raise UserError(f"{name} makes its images of {remedy}, so that there are no latents to move")
        codec = spec.fields["image"].codec
        if not codec.pictured:
            raise UserError(
                f"the run makes {codec.noun}, which have no picture each: the tool needs pictures"
            )
        self.algorithm, self.spec, self.codec = algorithm, spec, codec
        self.state = drawable(state)
        self.truncation = truncation
        self.spaces: tuple[Space, ...] = ("z", "w") if algorithm.has_styles else ("z",)
        truncated(algorithm, spec, state, *truncation)  # raises what is wrong
        self._images = {space: jax.jit(self._image_of(space)) for space in self.spaces}
        self._styles = jax.jit(
            lambda state, z, labels: algorithm.styles(state, z, self.told(z, labels, state))
        )

    def chosen_space(self, space: Space | None) -> Space:
        """The space that was asked for; by default w where there is one.

        Raises:
            UserError: the generator has no styles.
        """
        if space is not None and space not in self.spaces:
            raise UserError(
                f"space={space}: {type(self.algorithm.generator).__name__} has no styles w, only style "
                "generators (a mapping and a synthesis network) have: choose z"
            )
        return space or self.spaces[-1]

    def drawn(self, seeds: Sequence[int], labels: Sequence[int] | None = None) -> Latents:
        """z of each seed: that of the first picture of `gan-jax sample --seed`.

        Args:
            labels: one for each seed; of a conditional generator only.
        """
        values = [self._first(seed) for seed in seeds]
        return Latents("z", np.concatenate(values), None if labels is None else np.asarray(labels, np.int32))

    def many(self, count: int, seed: int, labels: np.ndarray | None = None) -> Latents:
        """`count` z of one seed, those of the pictures of `gan-jax sample --seed --num`."""
        key = jax.random.key(seed)
        draw = jax.jit(lambda number: self.algorithm.latents(jax.random.fold_in(key, number), CHUNK))
        chunks = [np.asarray(draw(number)) for number in range(-(-count // CHUNK))]
        return Latents("z", np.concatenate(chunks)[:count], labels)

    def in_space(self, latents: Latents, space: Space) -> Latents:
        """The latents in this space.

        Raises:
            UserError: styles have no way back to z, and some generators no styles.
        """
        self.chosen_space(space)
        if latents.space == space:
            return latents
        if space == "z":
            raise UserError("these latents are styles w, from which no way leads back to z: choose space w")
        return dataclasses.replace(latents, space="w", values=self._mapped(self._styles, latents))

    def __call__(self, latents: Latents, title: str = "") -> np.ndarray:
        """Images float32 [N, H, W, C], as the networks see them.

        Args:
            title: of a bar that is shown on a terminal; none without.
        """
        return self._mapped(self._images[latents.space], latents, title)

    def image(self, state: TrainState, space: Space, values: Array, labels: Array | None) -> Array:
        """Images [B, H, W, C] of latents [B, ...], traceable and without truncation."""
        told = self.told(values, labels, state)
        if space == "w":
            return self.algorithm.synthesise(state, values, told)
        return self.algorithm.draw(state, values, told)

    def encoded(self, pictures: np.ndarray, labels: np.ndarray | None) -> Latents:
        """The z that the method finds of pictures float32 [N, H, W, C] (`Algorithm.encode`)."""

        @jax.jit
        def encode(state: TrainState, pictures: Array, labels: Array | None) -> Array:
            return self.algorithm.encode(state, pictures, self.told(pictures, labels, state))

        return Latents("z", self._mapped(encode, Latents("z", pictures, labels)), labels)

    def told(self, latent: Array, labels: Array | None, state: TrainState) -> PyTree:
        """What the generator is told beside these latents [B, ...]."""
        count = latent.shape[0]
        batch = {"image": jnp.zeros((count, *self.spec.image_shape))}
        label = jnp.zeros(count, jnp.int32) if labels is None else labels
        return self.algorithm.conditioning(batch | {"label": label}, state)

    def _first(self, seed: int) -> np.ndarray:
        key = jax.random.fold_in(jax.random.key(seed), 0)
        return np.asarray(self.algorithm.latents(key, 1))

    def _image_of(self, space: Space) -> Callable[..., Array]:
        def image(state: TrainState, values: Array, labels: Array | None) -> Array:
            if self.truncation == NO_TRUNCATION:
                return self.image(state, space, values, labels)
            algorithm, told = self.algorithm, self.told(values, labels, state)
            styles = values if space == "w" else algorithm.styles(state, values, told)
            return algorithm.synthesise(
                state, truncate(styles, algorithm.mean_style(state), self.truncation), told
            )

        return image

    def _mapped(self, function: Any, latents: Latents, title: str = "") -> np.ndarray:
        """function(state, values, labels) of all latents, so many at a time that there is one program."""
        count = len(latents)
        size = min(CHUNK, count)
        parts = []
        starts = range(0, count, size)
        for start in tqdm(starts, title, unit=" calls", leave=False, disable=None if title else True):
            taken = latents.take(np.minimum(np.arange(start, start + size), count - 1))
            found = function(self.state, taken.values, taken.labels)
            parts.append(np.asarray(found)[: count - start])
        return np.concatenate(parts)
