"""A cut of a labelled data set: so many examples of each class, and fewer of the rare ones.

With `imbalance=r` the later half of the classes is rare: a class there has 1/r of what the largest frequent
one has (the step imbalance of Buda et al. 2018, "A systematic study of the class imbalance problem in
convolutional neural networks", arXiv:1710.05381, section 3.2, with half of the classes).

Which examples are kept is a function of the labels and the two numbers alone: each class has one order, of
which a cut takes the first ones, so that a smaller cut is part of a larger one. With `oversample` the
examples of smaller classes are repeated until each class has as many as the largest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gan_jax.data.dataset import Dataset
from gan_jax.data.sampler import stable_order
from gan_jax.utils.errors import UserError

# The options, with the values that change nothing.
CUT: dict[str, Any] = {"per_class": 0, "imbalance": 1, "oversample": False}
_KEY = 2**32  # beyond all seeds and epochs of the samplers, which use the same generator
_CHUNK = 8192  # labels read at a time


def whole(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a data set without those of its cut: what other splits and judges are opened with."""
    return {name: value for name, value in options.items() if name not in CUT}


def cut(dataset: Dataset, per_class: int = 0, imbalance: int = 1, oversample: bool = False) -> Dataset:
    """The data set with some of its examples, in their order.

    Args:
        dataset: with labels.
        per_class: examples of a frequent class, at most; 0 for all.
        imbalance: how many times fewer a rare class has, at least one; 1 where none is rare.
        oversample: repeat examples, so that a training sees each class as often as any other.

    Raises:
        UserError: numbers out of range, or no labels.
    """
    for name, value, least in (("per_class", per_class, 0), ("imbalance", imbalance, 1)):
        if not (isinstance(value, int | float) and value == int(value) and value >= least):
            raise UserError(f"data.{name}={value!r}: it must be a whole number of at least {least}")
    if not isinstance(oversample, bool):
        raise UserError(f"data.oversample={oversample!r}: it must be True or False")
    per_class, imbalance = int(per_class), int(imbalance)
    asked = {"per_class": per_class, "imbalance": imbalance, "oversample": oversample}
    chosen = {name: value for name, value in asked.items() if value != CUT[name]}
    if not chosen:
        return dataset
    said = " ".join(f"{name}={value}" for name, value in chosen.items())
    if dataset.num_classes is None or dataset.parts:
        if not len(dataset) and not dataset.parts:  # its files are elsewhere: nothing is known of classes
            return dataset
        raise UserError(
            f"data.{said.replace(' ', ', data.')} chooses examples by their classes, and {dataset.name} has "
            "no labels: leave it out"
        )
    labels = labels_of(dataset)
    indices = kept(labels, dataset.num_classes, per_class, imbalance, oversample)
    digest = hashlib.sha256(indices.tobytes()).hexdigest()[:16]
    return replace(
        dataset,
        source=_Some(dataset, indices),
        fingerprint=f"cut {said} ({len(indices)} of {len(labels)}, {digest}) of {dataset.fingerprint}",
        options={**dataset.options, **chosen},
    )


def kept(
    labels: np.ndarray, num_classes: int, per_class: int, imbalance: int, oversample: bool = False
) -> np.ndarray:
    """The indices of the examples that a cut keeps, int64, ascending; some several times with `oversample`.

    Args:
        labels: int32 [N] in [0, num_classes).
        per_class, imbalance, oversample: as for `cut`.
    """
    counts = np.bincount(labels, minlength=num_classes)
    frequent = -(-num_classes // 2)
    largest = int(counts[:frequent].max())
    largest = min(per_class or largest, largest)
    chosen = []
    for label in range(num_classes):
        rare = imbalance > 1 and label >= frequent
        most = max(largest // imbalance, 1) if rare else per_class or len(labels)
        own = np.flatnonzero(labels == label)
        draws = np.random.Philox(key=np.array([_KEY, label], np.uint64)).random_raw(len(own))
        chosen.append(own[stable_order(draws)[:most]])
    if oversample:
        most = max(map(len, chosen))
        chosen = [np.resize(own, most) if len(own) else own for own in chosen]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def labels_of(dataset: Dataset) -> np.ndarray:
    """All labels, int32 [N]; the pictures are not decoded where the source can leave them."""
    labels = np.empty(len(dataset), np.int32)
    for start in range(0, len(dataset), _CHUNK):
        part = slice(start, min(start + _CHUNK, len(dataset)))
        dataset.read_into(np.arange(part.start, part.stop), {"label": labels[part]})
    return labels


class _Some:
    """The records of a data set that a cut keeps."""

    def __init__(self, dataset: Dataset, indices: np.ndarray) -> None:
        self._dataset = dataset
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int, /) -> dict[str, Any]:
        return dict(self._dataset.records([int(self._indices[index])])[0])

    def __getitems__(self, indices: Sequence[int]) -> Sequence[dict[str, Any]]:
        return self._dataset.records([int(self._indices[index]) for index in indices])

    def read_into(self, indices: np.ndarray, out: dict[str, np.ndarray]) -> None:
        """Fills `out`, as `Dataset.read_into`."""
        self._dataset.read_into(self._indices[indices], out)
