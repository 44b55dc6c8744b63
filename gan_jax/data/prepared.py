"""Prepared data sets on the disk: finding one, and opening it without TensorFlow."""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from absl import logging

from gan_jax.data.builder import DEEP_RANGE, INFO_FILE, LEFT_OUT
from gan_jax.data.dataset import Dataset
from gan_jax.data.identity import identity
from gan_jax.data.records import quick_source
from gan_jax.data.spec import Field
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import listed
from gan_jax.utils.paths import expanded, home

DECODED = ", decoded sha256 "  # before the digest at the end of a fingerprint
_VERSION = re.compile(r"\d+\.\d+\.\d+")


def data_root(data_dir: str | Path | None) -> Path:
    """The data folder by tfds's convention: as given, else TFDS_DATA_DIR, else ~/tensorflow_datasets.

    Raises:
        UserError: it is a file, or nothing is given and this user has no home folder.
    """
    given = data_dir or os.environ.get("TFDS_DATA_DIR")
    if not given and home() is None:
        raise UserError(
            "no folder for data sets: this user has no home folder (HOME is not set). Set the environment "
            "variable TFDS_DATA_DIR to a folder"
        )
    root = expanded(given or "~/tensorflow_datasets").absolute()
    if root.exists() and not root.is_dir():
        raise UserError(f"The data folder {root} is a file: give the path of a folder.")
    return root


def data_dir_flag(data_dir: str | Path | None) -> str:
    """The flag that a suggested command needs to mean the same data folder."""
    return f" --data_dir {data_dir}" if data_dir else ""


def find_folder(root: Path, name: str) -> Path | None:
    """The folder of a set that tfds itself prepared, by tfds's own naming; None if it isn't there.

    Args:
        root: the data folder.
        name: "cifar10", "cifar10:3.0.2", "celeb_a_hq/256" or "celeb_a_hq/256:2.0.0"; without a version
            the newest one.

    Raises:
        UserError: the set has configurations and none was named.
    """
    path, _, version = name.partition(":")
    if not path:
        return None
    base = root / path
    versions = [p.parent for p in base.glob(f"*/{INFO_FILE}") if _VERSION.fullmatch(p.parent.name)]
    if version:
        versions = [v for v in versions if v.name == version]
    if versions:
        return max(versions, key=lambda v: tuple(int(n) for n in v.name.split(".")))
    configs = sorted({p.parent.parent.name for p in base.glob(f"*/*/{INFO_FILE}")})
    if configs and not version:
        choices = ", ".join(f"{path}/{config}" for config in configs)
        raise UserError(f"The data set {path} is prepared in several configurations; name one: {choices}.")
    return None


def open_folder(
    folder: Path,
    *,
    name: str,
    split: str,
    content: str | None,
    options: dict[str, Any],
    fields: Mapping[str, Field] | None = None,
) -> Dataset:
    """One split of the prepared set in a folder.

    Args:
        folder: where `dataset_info.json` lies.
        name: for the record and for messages.
        split: "train", "test", or any of tfds's sub-splits such as "train[:1000]".
        content: digest of what went in; None to take tfds's own account of the split. The fingerprint has
            the digest of the decoded examples beside it.
        options: for the record; the folder's name tells them apart.
        fields: of a batch, as the set's builder has them; None: the pictures in the feature "image".

    Raises:
        UserError: unknown split, another file format, no pictures of one size, a damaged set.
    """
    again = f"Move {folder} away and prepare the set again."
    try:
        builder = tfds.builder_from_directory(str(folder))
    except Exception as error:  # tfds raises whatever its parsers raise
        raise UserError(f"The prepared data set {name} is damaged: {error!r}. {again}") from error
    formats = {f.value for f in builder.info.available_file_formats()}
    if "array_record" not in formats:
        raise UserError(
            f"The data set {name} in {folder} is prepared as {', '.join(sorted(formats))}, which only "
            f"TensorFlow reads; array_record is needed. Move that folder away and run: "
            f"gan-jax data prepare {name}"
        )
    whole_name = split.partition("[")[0]
    if whole_name not in builder.info.splits:
        raise UserError(f"The data set {name} has no split {split!r}: choose {_listed(builder.info.splits)}.")
    missing = [p.name for p in builder.info.splits[whole_name].filepaths if not p.exists()]
    if missing:
        raise UserError(f"{missing[0]} of the data set {name} is not in {folder}. {again}")
    try:
        info, source = builder.info.splits[split], builder.as_data_source(split, file_format="array_record")
    except Exception as error:
        advice = f"Write a part of one as 'train[:1000]' or 'train[10%:]'. If that is right: {again}"
        raise UserError(f"Cannot read the split {split!r} of {name}: {error!r}. {advice}") from error
    fields = fields or _picture(builder.info.features, name)
    class_names = _class_names(builder.info.features)
    whole = builder.info.splits[whole_name]
    if content is None:
        content = f"{int(whole.num_bytes)} bytes in shards of {','.join(map(str, whole.shard_lengths))}"
    metadata = builder.info.metadata or {}
    if file_range := tuple(options.get("value_range") or metadata.get(DEEP_RANGE) or ()):
        fields = {name: replace(field, file_range=file_range) for name, field in fields.items()}
    left_out = dict(metadata.get(LEFT_OUT, {}))
    if left_out:
        logging.warning("%s files are left out of %s: %s", len(left_out), name, listed(list(left_out)))

    def opened(split: str, source: Any, fingerprint: str) -> Dataset:
        return Dataset(
            name=name,
            split=split,
            source=quick_source(source, builder.info, split, fields),
            fields=fields,
            num_classes=None if class_names is None else len(class_names),
            class_names=class_names or (),
            fingerprint=fingerprint,
            options=options,
            left_out=left_out,
        )

    everything = builder.as_data_source(whole_name, file_format="array_record")
    digest = identity(opened(whole_name, everything, ""), folder, [Path(path) for path in whole.filepaths])
    account = f"{builder.info.full_name} [{split}] {info.num_examples} examples {content}".strip()
    return opened(split, source, f"{account}{DECODED}{digest}")


def is_same_data(recorded: str, now: str) -> bool:
    """Whether two fingerprints are of the same examples, as far as the recorded one can tell.

    Those of before there were digests of the decoded examples know the files that went in, or their number.
    """
    if recorded != now and DECODED not in recorded:
        now = re.sub(f"{DECODED}[0-9a-f]{{64}}", "", now)
    return recorded == now


def _picture(features: Any, name: str) -> dict[str, Field]:
    """The feature "image" as the only field of a set."""
    if "image" not in features:
        raise UserError(f"The data set {name} has no feature 'image', only {_listed(features)}.")
    shape = tuple(features["image"].shape)
    if len(shape) != 3 or None in shape:
        raise UserError(
            f"The pictures of {name} have shape {shape}: all must have one size and three dimensions. Write "
            "them to a folder and use the data set image_folder, which resizes and crops."
        )
    return {"image": Field(shape)}


def _class_names(features: Any) -> tuple[str, ...] | None:
    """What the labels of a set mean; None where there are none."""
    label = features["label"] if "label" in features else None  # noqa: SIM401  (not a dict)
    return tuple(label.names) if isinstance(label, tfds.features.ClassLabel) else None


def _listed(names: Any) -> str:
    return ", ".join(sorted(names))
