"""What a classifier of an unbalanced or small set is worth: its recalls on the untouched test split.

The question behind it is whether generated pictures help (Antoniou et al. 2017, "Data Augmentation Generative
Adversarial Networks", arXiv:1711.04340), and what else does.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.data.classes import folder_names, matching, plain_names
from gan_jax.data.dataset import Dataset
from gan_jax.data.picture_files import GENERATED
from gan_jax.evaluation.sources.folder_images import folder_source
from gan_jax.feature_networks.balanced_training import Labelled, Training, predict_with, train_balanced
from gan_jax.metrics.class_recalls import class_recalls
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import counted, listed
from gan_jax.utils.untrusted import parse_json

_RARE = 2  # a class is rare if the largest one has more than so many times its images
_READ_AT_A_TIME = 1000


@dataclass(frozen=True)
class Extra:
    """Further pictures for a training, as they were read from a folder.

    Attributes:
        pictures: with the labels of the data set.
        about: folder, images, per_class (by class name), fingerprint, and record: what `gan-jax augment`
            wrote beside them, None without.
    """

    pictures: Labelled
    about: dict[str, Any]


def read_extra(folder: str | Path, dataset: Dataset) -> Extra:
    """The pictures of a folder with a sub-folder for some or all classes of a data set.

    Raises:
        UserError: no such folder, no classes in it, one that the data set has not, another size; as
            `folder_source`.
    """
    source = folder_source(folder)
    if source.class_names is None:
        raise UserError(
            f"{folder}: its pictures have no classes: put them into sub-folders that are called as "
            f"those of {dataset.name}: {listed(list(folder_names(dataset.class_names)), 10)}"
        )
    labels = _labels_of(folder, source.class_names, dataset)
    channels = dataset.image_shape[2]
    if source.in_channels is not None and source.image_shape[2] != channels:
        source = source.in_channels(channels)
    if source.image_shape != dataset.image_shape:
        sizes = [" x ".join(map(str, shape)) for shape in (source.image_shape, dataset.image_shape)]
        raise UserError(f"{folder}: its pictures are {sizes[0]}, and those of {dataset.name} {sizes[1]}")
    assert source.size is not None
    parts = list(source.batches(source.size, _READ_AT_A_TIME))
    own = np.concatenate([part for _, part in parts if part is not None])
    pictures = Labelled(np.concatenate([images for images, _ in parts]), labels[own])
    counts = np.bincount(pictures.labels, minlength=len(dataset.class_names))
    record = Path(folder).expanduser() / GENERATED
    about = {
        "folder": Path(folder).name,
        "images": source.size,
        "per_class": dict(zip(dataset.class_names, counts.tolist(), strict=True)),
        "fingerprint": source.fingerprint,
        "record": parse_json(record.read_bytes()) if record.is_file() else None,
    }
    return Extra(pictures, about)


def _labels_of(folder: str | Path, names: tuple[str, ...], dataset: Dataset) -> np.ndarray:
    """The data set's label of each class of the folder."""
    for known in (dataset.class_names, folder_names(dataset.class_names)):
        mine, theirs = plain_names(names), plain_names(known)
        chosen = [name for name, plain in zip(known, theirs, strict=True) if plain in mine]
        if len(chosen) == len(names):
            return np.array([known.index(chosen[at]) for at in matching(names, chosen)], np.int32)
    theirs = (*plain_names(dataset.class_names), *plain_names(folder_names(dataset.class_names)))
    strange = [name for name, plain in zip(names, plain_names(names), strict=True) if plain not in theirs]
    raise UserError(
        f"{folder} has sub-folders that are no classes of {dataset.name} ({listed(strange, 5)}): its "
        f"classes are {listed(list(folder_names(dataset.class_names)), 10)}"
    )


def measure(
    real: Dataset,
    test: Dataset,
    training: Training,
    *,
    extra: Extra | None = None,
    seed: int = 0,
    progress: bool = True,
) -> dict[str, Any]:
    """Trains a classifier and tests it; plain JSON values.

    Args:
        real: a train split, or a cut of one, with labels; every class is there.
        test: a split of the same classes that nothing else has seen.
        training: how; with a ratio if, and only if, there are extra pictures.
        extra: generated pictures.
        seed: of the training.
        progress: show it on standard error.

    Returns:
        data (name, split, options, fingerprint, per_class), test (split, fingerprint, images), extra (as
        `Extra.about`, or None), training (the fields of `Training`), seed, balanced_accuracy, accuracy,
        recall (by class name; None of a class without test images), rare_classes (those with less than half
        of the largest one's images), rare_recall (their mean; None without any), seconds.

    Raises:
        UserError: no labels, test images of other classes; as `train_balanced`.
    """
    if real.num_classes is None or test.num_classes != real.num_classes:
        raise UserError(
            f"{real.name} is no labelled set with a test split of the same classes: a classifier needs both"
        )
    if not real.fields["image"].codec.is_image:
        raise UserError(f"a classifier takes images, and {real.name} holds {real.fields['image'].codec.noun}")
    arrays, held_out, names = real.arrays(), test.arrays(), real.class_names
    counts = np.bincount(arrays["label"], minlength=real.num_classes)
    if absent := [names[label] for label in np.flatnonzero(counts == 0)]:
        raise UserError(
            f"{real.name} has no picture of {counted(len(absent), 'class')} ({listed(absent, 5)}): a "
            "classifier cannot learn it; add some, or leave the class out"
        )
    begun = time.monotonic()
    weights = train_balanced(
        Labelled(arrays["image"], arrays["label"]),
        real.num_classes,
        training,
        generated=extra.pictures if extra else None,
        seed=seed,
        progress=progress,
    )
    predicted = predict_with(weights, training, real.num_classes, held_out["image"])
    found = class_recalls(predicted, held_out["label"], real.num_classes)
    rare = [label for label in range(real.num_classes) if _RARE * counts[label] < counts.max()]
    return {
        "data": {
            "name": real.name,
            "split": real.split,
            "options": dict(real.options),
            "fingerprint": real.fingerprint,
            "per_class": dict(zip(names, counts.tolist(), strict=True)),
        },
        "test": {"split": test.split, "fingerprint": test.fingerprint, "images": len(test)},
        "extra": None if extra is None else extra.about,
        "training": asdict(training),
        "seed": seed,
        "balanced_accuracy": found.balanced_accuracy,
        "accuracy": found.accuracy,
        "recall": {name: _number(value) for name, value in zip(names, found.recalls, strict=True)},
        "rare_classes": [names[label] for label in rare],
        "rare_recall": _number(found.mean_of(rare)),
        "seconds": round(time.monotonic() - begun, 2),
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def summary(found: dict[str, Any]) -> str:
    """The recalls of `measure` in lines, a class each, rare ones marked."""
    counts, extra = found["data"]["per_class"], (found["extra"] or {}).get("per_class", {})
    width = max(map(len, counts))
    lines = []
    for name, recall in found["recall"].items():
        generated = f" + {extra[name]} generated" if extra.get(name) else ""
        rare = ", rare" if name in found["rare_classes"] else ""
        shown = "no test image" if recall is None else f"{recall:.3f}"
        lines.append(f"{name:{width}}  recall {shown}  ({counts[name]}{generated}{rare})")
    rare = found["rare_recall"]
    tail = "" if rare is None else f", recall of the rare classes {rare:.4f}"
    lines.append(
        f"balanced accuracy {found['balanced_accuracy']:.4f}, accuracy {found['accuracy']:.4f}{tail}"
    )
    return "\n".join(lines)
