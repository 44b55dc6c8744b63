"""Checks of labelled images that a classifier is trained or tested on."""

from __future__ import annotations

import numpy as np

from gan_jax.utils.errors import UserError

SMALLEST_SIDE = 8  # pixels; of what the classifier takes


def check_labelled(
    what: str, images: np.ndarray, labels: np.ndarray, num_classes: int, *, whole: bool = False
) -> None:
    """Checks a labelled set.

    Args:
        what: stands for it in messages: "the training set".
        images: as they were given; right are uint8 [N, H, W, C] with H, W >= 8 and N >= 1.
        labels: likewise; integers [N] in [0, num_classes).
        num_classes: at least 2.
        whole: every class must be there.

    Raises:
        UserError: no images, too small ones, labels out of range, missing classes.
        ValueError: other shapes or dtypes.
    """
    if images.ndim != 4 or images.dtype != np.uint8:
        raise ValueError(f"{what}: images must be uint8 [N, H, W, C], not {images.dtype} {images.shape}")
    if labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"{what}: labels must be integers [{len(images)}], one for each image, "
            f"not {labels.dtype} {labels.shape}"
        )
    if num_classes < 2:
        raise UserError(f"{what}: {num_classes} classes; a classifier needs at least 2")
    if min(images.shape[1:3]) < SMALLEST_SIDE:
        raise UserError(
            f"{what}: images of {images.shape[1]} x {images.shape[2]} pixels; the classifier needs at least "
            f"{SMALLEST_SIDE} x {SMALLEST_SIDE}"
        )
    _check_classes(what, labels, num_classes, whole)


def _check_classes(what: str, labels: np.ndarray, num_classes: int, whole: bool) -> None:
    if not len(labels):
        raise UserError(f"{what} has no images")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise UserError(
            f"{what} has labels from {labels.min()} to {labels.max()}, and with {num_classes} classes they "
            f"must be from 0 to {num_classes - 1}"
        )
    if not whole:
        return
    if len(labels) < num_classes:
        raise UserError(
            f"{what} has {len(labels)} images of {num_classes} classes: give at least one of each"
        )
    if missing := sorted(set(range(num_classes)) - set(np.unique(labels).tolist())):
        listed = ", ".join(map(str, missing[:10])) + (", ..." if len(missing) > 10 else "")
        raise UserError(f"{what} has no images of the classes {listed}: every class must be there")
