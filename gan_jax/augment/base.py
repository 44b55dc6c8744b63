"""Base class of the augmentations of the discriminator's inputs."""

from __future__ import annotations

from dataclasses import dataclass

import jax

from gan_jax.utils.tree import PyTree

Array = jax.Array


@dataclass(frozen=True, kw_only=True)
class Augment:
    """Transforms images, real and generated alike, before the discriminator sees them.

    Differentiable in the images, to any order, so that the generator learns through it. Example i of the
    result depends on image i, keys[i], `memory` and `step` alone, so any layout of the batch gives the same.
    """

    @property
    def adaptive(self) -> bool:
        """Whether `update` follows what the discriminator says of the reals."""
        return False

    @property
    def of_batch(self) -> str:
        """Why a mini-batch cannot be cut into parts, and what to do; "" where it can."""
        return ""

    def init(self) -> PyTree:
        """The state before the first step; {} if there is none."""
        return {}

    def __call__(self, image: Array, keys: Array, memory: PyTree, step: Array) -> Array:
        """Transformed images.

        Args:
            image: [B, H, W, C], any H, W and C. [-1, 1] goes in; what comes out may lie outside.
            keys: typed keys [B], one per example; other keys are other transforms.
            memory: what `init` or `update` returned.
            step: completed train steps, int32 [].

        Returns:
            [B, H, W, C], float32 as `image`.
        """
        raise NotImplementedError(f"{type(self).__name__} must say what it does to images")

    def update(self, memory: PyTree, real_logits: Array, step: Array) -> PyTree:
        """The state after one descent of the discriminator.

        Args:
            real_logits: [B] on the augmented reals, gathered over all devices; positive where the
                discriminator rather takes them for real (the loss's `midpoint` is taken off).
            step: completed train steps, int32 [].
        """
        return memory


@dataclass(frozen=True, kw_only=True)
class NoAugment(Augment):
    """The discriminator sees the images as they are."""

    def __call__(self, image: Array, keys: Array, memory: PyTree, step: Array) -> Array:
        return image


def check_batch(image: Array, keys: Array) -> None:
    """Images [B, H, W, C] and a typed key for each of them.

    Raises:
        ValueError: they are not.
    """
    if image.ndim != 4:
        raise ValueError(f"image: its shape is {image.shape}; an augmentation takes images [B, H, W, C]")
    if keys.shape != image.shape[:1] or not jax.dtypes.issubdtype(keys.dtype, jax.dtypes.prng_key):
        raise ValueError(
            f"keys: {keys.dtype}{list(keys.shape)}; expected one typed key per image, "
            f"[{image.shape[0]}], as core.randomness.example_keys makes them"
        )


def check_names(names: object, field: str, known: tuple[str, ...], *, empty: bool = False) -> None:
    """A tuple of different names, all of them known.

    Args:
        empty: whether () is allowed.

    Raises:
        ValueError: it is not.
    """
    good = isinstance(names, tuple) and all(isinstance(name, str) and name in known for name in names)
    if not (good and isinstance(names, tuple) and len(set(names)) == len(names) and (names or empty)):
        raise ValueError(f"{field}={names!r}: it must be a tuple of different names among {', '.join(known)}")
