"""The identity of a prepared data set: a sha256 of what its records hold once they are decoded.

A name, options and a number of examples can all be those of other data. The digest is computed once for each
split, by reading all of it, and kept beside the records with the sizes and times of their files: as long as
those are the same, so is the digest.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging
from tqdm import tqdm

from gan_jax.data.dataset import Dataset
from gan_jax.utils import files
from gan_jax.utils.cache import cache_folder
from gan_jax.utils.errors import UserError

FILE = "identity.json"
_VERSION = 1  # of what is digested
_LARGE = 2**30  # bytes: takes so long to read that it is said
_CHUNK = 2048  # examples read at a time


def identity(whole: Dataset, folder: Path, shards: Sequence[Path]) -> str:
    """64 hex digits, equal only for the same decoded examples in the same order.

    Kept in the set's folder, or in this user's cache where that cannot be written.

    Args:
        whole: a whole split.
        folder: of the prepared set.
        shards: the files of the split.

    Raises:
        UserError: the files are damaged or gone.
    """
    with files.disk_errors(f"read {folder}"):
        stamp = {shard.name: _stamp(shard) for shard in shards}
    places = _places(folder)
    for place in places:
        kept = _read(place).get(whole.split)
        if not (isinstance(kept, dict) and kept.get("version") == _VERSION and kept.get("files") == stamp):
            continue
        if re.fullmatch("[0-9a-f]{64}", str(kept.get("sha256"))):
            return str(kept["sha256"])
    size = len(whole) * whole.example_bytes
    if size > _LARGE:
        logging.warning(
            "%s (%.0f GiB) is read once, to know it again by its content", whole.name, size / 2**30
        )
    digest = content_digest(whole)
    entry = {whole.split: {"sha256": digest, "version": _VERSION, "files": stamp}}
    for place in places:
        try:
            files.write_json(place, {**_read(place), **entry})
            return digest
        except UserError as error:
            reason = error
    logging.warning("the digest of %s is not kept, so the next start reads all again: %s", whole.name, reason)
    return digest


def _places(folder: Path) -> list[Path]:
    """Where a digest is kept, the best place first."""
    name = f"{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}.json"
    try:
        return [folder / FILE, cache_folder("identities") / name]
    except UserError:  # no cache either
        return [folder / FILE]


def content_digest(dataset: Dataset) -> str:
    """sha256 of all examples, in order: each field as it is stored, and the labels as int32."""
    batch = dataset.empty(min(_CHUNK, len(dataset)))
    wholes = {
        name: hashlib.sha256(f"{name} {values.dtype} {values.shape[1:]}".encode())
        for name, values in batch.items()
    }
    title = f"checking {dataset.name} ({dataset.split}, once)"
    with tqdm(total=len(dataset), desc=title, unit=" examples", leave=False, disable=None) as bar:
        for start in range(0, len(dataset), _CHUNK):
            indices = np.arange(start, min(start + _CHUNK, len(dataset)))
            part = {name: values[: len(indices)] for name, values in batch.items()}
            dataset.read_into(indices, part)
            for name, values in part.items():
                wholes[name].update(np.ascontiguousarray(values).data)
            bar.update(len(indices))
    listed = [f"{name} {whole.hexdigest()}" for name, whole in sorted(wholes.items())]
    return hashlib.sha256("\n".join([str(len(dataset)), *listed]).encode()).hexdigest()


def _stamp(path: Path) -> list[int]:
    """What changes when a file is replaced, even by one of the same size and time of change."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text()) if path.is_file() else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
