"""Prepared files, read many records at a time: only what a batch needs, straight into its arrays.

tfds's own reading decodes every feature of a record, one record at a time, which takes several times as long
as reading the record. It serves everything but batches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordReader
from google.protobuf.message import DecodeError
from tensorflow_datasets.proto import tf_example_pb2

from gan_jax.data.spec import Field

_AS_BYTES = tfds.features.Encoding.BYTES.value
# Examples are asked for in random order: nothing that lies behind one in the file is read with it.
_READER = dict(options="readahead_buffer_size:0", file_reader_buffer_size=32768)


@dataclass(frozen=True)
class Shard:
    """The records `first` to `last - 1` of a file."""

    path: str
    first: int
    last: int


class PreparedRecords:
    """One split of a prepared set, a `Source` that also fills a batch's arrays.

    Threads may read at the same time: files are read, checked and decompressed outside of Python's lock.

    Args:
        source: what tfds's `as_data_source` returns; it gives whole records.
        shards: the files behind it, in order.
        unpack: for each field from the bytes of a record to its array, of any shape.
    """

    def __init__(
        self,
        source: Any,
        shards: Sequence[Shard],
        unpack: Mapping[str, Callable[[bytes], np.ndarray]],
    ) -> None:
        self._source = source
        self._shards = shards
        self._unpack = unpack
        self._ends = np.cumsum([shard.last - shard.first for shard in shards])
        self._readers: dict[int, ArrayRecordReader] = {}
        self._opening = Lock()

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int, /) -> dict[str, Any]:
        record: dict[str, Any] = self._source[index]
        return record

    def __getitems__(self, indices: Sequence[int]) -> Sequence[dict[str, Any]]:
        records: Sequence[dict[str, Any]] = self._source.__getitems__(indices)
        return records

    def read_into(self, indices: np.ndarray, out: dict[str, np.ndarray]) -> None:
        """Fills `out`, [B, *stored shape] of some fields and "label" [B] (if it is wanted), from indices [B].

        Raises:
            RuntimeError: a file is missing, cut off or changed; each record carries a checksum.
        """
        which = np.searchsorted(self._ends, indices, side="right")
        for number in np.unique(which):
            rows = np.flatnonzero(which == number)
            shard = self._shards[number]
            # The first record of the shard has the index `ends - (last - first)` in the split.
            places = indices[rows] - self._ends[number] + shard.last
            records = self._reader(int(number)).read(places.tolist())
            for row, record in zip(rows.tolist(), records, strict=True):
                if not record:  # what array_record makes of a file that is cut off while it is open
                    raise RuntimeError(f"{shard.path} holds an empty record")
                try:
                    self._fill(record, row, out)
                except (DecodeError, IndexError, ValueError) as error:
                    raise RuntimeError(f"{shard.path} holds a record of another kind, {error}") from error

    def _fill(self, record: bytes, row: int, out: dict[str, np.ndarray]) -> None:
        features = tf_example_pb2.Example.FromString(record).features.feature
        for name, values in out.items():
            if name == "label":
                values[row] = features[name].int64_list.value[0]
            else:
                values[row] = self._unpack[name](features[name].bytes_list.value[0]).reshape(values.shape[1:])

    def _reader(self, number: int) -> ArrayRecordReader:
        """The reader of a shard, opened when it is first needed and kept."""
        with self._opening:
            if number not in self._readers:
                self._readers[number] = ArrayRecordReader(self._shards[number].path, **_READER)
            return self._readers[number]


def quick_source(source: Any, info: tfds.core.DatasetInfo, split: str, fields: Mapping[str, Field]) -> Any:
    """`PreparedRecords` where all fields are stored as bytes, as in nearly all sets; else `source` itself.

    Args:
        source: the split as tfds's `as_data_source` gives it.
        fields: of a batch.
    """
    unpack: dict[str, Callable[[bytes], np.ndarray]] = {}
    for name, field in fields.items():
        feature = info.features[name]
        if feature.np_dtype != field.codec.dtype:
            return source
        if isinstance(feature, tfds.features.Image):
            unpack[name] = feature.decode_example_np
        elif type(feature) is tfds.features.Tensor and feature.to_json_content().encoding == _AS_BYTES:
            unpack[name] = partial(np.frombuffer, dtype=field.codec.dtype)
        else:
            return source
    files = info.splits[split].file_instructions
    shards = [Shard(str(file.filename), file.skip, file.skip + file.take) for file in files]
    return PreparedRecords(source, shards, unpack)
