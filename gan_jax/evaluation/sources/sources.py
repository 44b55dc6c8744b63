"""Either side of a comparison by its name: a folder of pictures, an .npz file, or a split of a data set."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax import data
from gan_jax.data.catalog import has_own_files
from gan_jax.data.prepared import data_root, find_folder
from gan_jax.evaluation.sources.folder_images import folder_source
from gan_jax.evaluation.sources.generated_images import generator_as_reals, generator_source
from gan_jax.evaluation.sources.image_source import Batch, ImageSource, array_source
from gan_jax.evaluation.sources.level_texts import holds_levels, levels_source
from gan_jax.evaluation.sources.npz_images import npz_source
from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded

__all__ = [
    "Batch",
    "ImageSource",
    "array_source",
    "dataset_source",
    "folder_source",
    "generator_as_reals",
    "generator_source",
    "is_run",
    "npz_source",
    "open_source",
]

_RECORD = "config.json"  # what makes a folder a run's: see gan_jax/training/workdir.py
# "mnist", "mnist:test", "mnist:train[:1000]"; what tfds prepared may have a version, "cifar10:3.0.2:test".
_DATASET = re.compile(r"(?P<name>[^:\[\]]+(:\d+\.\d+\.\d+)?)(:(?P<split>[^:\[\]]+(\[[^\[\]]*\])?))?")
_POSSIBLE = (
    "Give the workdir of a run, a folder of pictures, an .npz file of images, or a data set such as "
    "fashion_mnist:test or mnist:train[:10000]"
)


def is_run(path: str | Path) -> bool:
    """Whether this is the folder of a run, which `open_source` leaves to `restored_run`."""
    return (expanded(path) / _RECORD).is_file()


def open_source(text: str | Path, *, data_dir: str | Path | None = None, **reading: Any) -> ImageSource:
    """The images that a user named.

    Args:
        text: a folder of pictures, flat or with a sub-folder per class; one of levels as text; an .npz file;
            or a data set, NAME, NAME:SPLIT or NAME:SPLIT[FROM:TO], its split "train" by default.
        data_dir: where the data sets are, as for `data.load`.
        **reading: how a folder is read, as `folder_source` takes it.

    Raises:
        UserError: nothing of that name, an unclear name, or whatever is wrong with the pictures, the file or
            the data set.
        ValueError: a run; ask `is_run` first.
    """
    path, text = expanded(text), str(text)
    if text and is_run(path):
        raise ValueError(f"{text} is a run: restore it and use generator_source")
    if text in data.DATASETS and path.exists():
        raise UserError(
            f"{text!r} is a data set and also {path.absolute()}: write {text}:train or ./{text} to say which"
        )
    if text and path.is_dir() and holds_levels(path):
        return levels_source(path)
    if text and path.is_dir():
        return folder_source(path, **reading)
    if path.is_file():
        if path.suffix != ".npz":
            raise UserError(f"{text} is a file, but not an .npz file. {_POSSIBLE}")
        return npz_source(path)
    return dataset_source(_dataset(text, data_dir))


def dataset_source(dataset: data.Dataset) -> ImageSource:
    """The images of a split of a data set, in its own order; of a zip those of its part "image".

    Raises:
        UserError, while reading: images that are not stored as their codec says, damaged files.
    """
    dataset = dataset.parts.get("image", dataset)
    name = f"{dataset.name}:{dataset.split}"

    def read(count: int, batch_size: int) -> Iterator[Batch]:
        for start in range(0, count, batch_size):
            batch = dataset.gather(np.arange(start, min(start + batch_size, count)))
            yield batch["image"], batch.get("label")

    return ImageSource(
        name=name,
        fingerprint=dataset.fingerprint,  # it says which split
        image_shape=dataset.image_shape,
        num_classes=dataset.num_classes,
        class_names=dataset.class_names or None,
        size=len(dataset),
        read=read,
        dataset=dataset,
        codec=dataset.fields["image"].codec,
    )


def _dataset(text: str, data_dir: str | Path | None) -> data.Dataset:
    match = _DATASET.fullmatch(text)
    name = match["name"] if match else ""
    if has_own_files(name):
        raise UserError(f"{text!r}: name the folder of pictures or the .npz file itself. {_POSSIBLE}")
    root = data_root(data_dir)
    if not match or (name not in data.DATASETS and find_folder(root, name) is None):
        raise UserError(
            f"{text!r} is neither a folder nor a file that is there, nor a data set "
            f"({', '.join(data.DATASETS)}, or one that tfds has prepared in {root}). {_POSSIBLE}"
        )
    return data.load(name, data_dir=data_dir, split=match["split"] or "train")
