"""Checks of features, logits and other matrices [N, D] that metrics are given."""

from __future__ import annotations

import numpy as np

from gan_jax.utils.errors import UserError


def check_features(features: np.ndarray, name: str = "features", least: int = 0) -> np.ndarray:
    """The array, if it holds finite real numbers [N, D] with D of at least 1.

    Args:
        name: what to call it in the error.
        least: the smallest N that will do.

    Raises:
        UserError: NaN or infinite entries, or fewer than `least` samples.
        ValueError: another shape or dtype.
    """
    array = np.asarray(features)
    if array.ndim != 2 or not array.shape[1] or array.dtype.kind not in "fiu":
        raise ValueError(f"{name} must be real numbers [N, D], not {array.dtype} {list(array.shape)}")
    if len(array) < least:
        raise UserError(f"{name}: {len(array)} samples are too few; at least {least} are needed")
    # A sum is finite unless an entry is not, or it overflows: most sets are seen to be fine without a mask.
    with np.errstate(over="ignore", invalid="ignore"):
        fine = np.isfinite(array.sum(dtype=np.float64))
    if not fine:
        bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
        if len(bad):
            raise UserError(
                f"{name}: {len(bad)} of {len(array)} samples have NaN or infinite entries, the first is "
                f"number {bad[0]}, from 0: look at the images they come from, and at the network's weights"
            )
    return array


def check_same_width(first: np.ndarray, second: np.ndarray) -> None:
    """ValueError unless both sets of features [N, D] have the same D."""
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"{first.shape[1]} and {second.shape[1]} features cannot be compared: both sides must come from "
            "one network"
        )
