"""Images that a program holds in memory, as a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gan_jax.data.dataset import Dataset
from gan_jax.data.identity import content_digest
from gan_jax.data.picture_files import MAX_CLASSES
from gan_jax.data.spec import Field
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import printable

ARRAYS = "arrays"


class _Arrays:
    """The arrays as the records of a data set."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self._arrays = arrays

    def __len__(self) -> int:
        return len(self._arrays["image"])

    def __getitem__(self, index: int, /) -> dict[str, Any]:
        return {name: values[index] for name, values in self._arrays.items()}

    def read_into(self, indices: np.ndarray, out: dict[str, np.ndarray]) -> None:
        for name, values in out.items():
            np.take(self._arrays[name], indices, axis=0, out=values, mode="clip")


def from_arrays(
    images: np.ndarray, labels: np.ndarray | None = None, *, class_names: Sequence[str] = ()
) -> Dataset:
    """A data set of arrays, for `train(config, workdir, dataset=...)`.

    Args:
        images: uint8 [N, H, W, C], or grey [N, H, W]; not copied, so they must not change.
        labels: integers [N] from 0; None for none.
        class_names: what the labels mean, in order; empty for "0", "1", ... up to the greatest label.

    Raises:
        UserError: other shapes or types, or labels that have no name.
    """
    images = checked_images(images)
    arrays, names = {"image": images}, tuple(printable(name) for name in class_names)
    if labels is not None:
        arrays["label"], names = checked_labels(labels, len(images), names)
    elif names:
        raise UserError(f"names of {len(names)} classes are given, and no labels")
    dataset = Dataset(
        name=ARRAYS,
        split="train",
        source=_Arrays(arrays),
        fields={"image": Field((images.shape[1], images.shape[2], images.shape[3]))},
        num_classes=len(names) or None,
        class_names=names,
        fingerprint="",
    )
    return replace(dataset, fingerprint=f"{ARRAYS} [train] {len(images)} examples {content_digest(dataset)}")


def checked_images(images: np.ndarray, called: str = "the images") -> np.ndarray:
    """The images uint8 [N, H, W, C], also of grey ones [N, H, W].

    Args:
        called: in messages.

    Raises:
        UserError: another type or shape.
    """
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape:
        raise UserError(
            f"{called} are {images.dtype} {list(images.shape)}: they must be uint8 [N, H, W, C] or grey "
            "[N, H, W], from 0 to 255. Of x in [-1, 1] make np.rint((x + 1) * 127.5).astype(np.uint8)"
        )
    return images


def checked_labels(
    labels: np.ndarray, count: int, names: tuple[str, ...], called: str = "the labels"
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The labels int32 [count] and what they mean: "0", "1", ... where no names are given.

    Raises:
        UserError: another type or shape, or labels that have no name.
    """
    labels = np.asarray(labels)
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise UserError(f"{called} are {labels.dtype} {list(labels.shape)}: they must be integers [{count}]")
    most = len(names) or MAX_CLASSES
    if labels.min() < 0 or labels.max() >= most:
        raise UserError(
            f"{called} go from {labels.min()} to {labels.max()}: they must be 0 to {most - 1} at most"
        )
    return labels.astype(np.int32), names or tuple(map(str, range(int(labels.max()) + 1)))
