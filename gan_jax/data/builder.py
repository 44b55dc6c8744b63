"""What the data sets that gan_jax prepares itself have in common: a tfds builder without TensorFlow."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from tqdm import tqdm

from gan_jax.data.spec import Field
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import kept_from_sweeping

LEFT_OUT = "left_out"  # in the metadata of a set: for each file that was left out why
DEEP_RANGE = "deep_range"  # likewise: what became black and white of files of more than 8 bits, if some were
INFO_FILE = "dataset_info.json"  # tfds writes it last, and renames the whole folder after that
INCOMPLETE = "incomplete."  # how the name of a folder begins as long as tfds writes it
LOCK = ".preparing"  # in the folder of a data set, held by those that prepare it
SHARD_BYTES = 2**30  # of decoded pictures in one file
MAX_SHARDS = 512

_Example = tuple[int, dict[str, Any]]
_Generate = Callable[[], Iterator[_Example]]


@dataclass(frozen=True)
class NoOptions:
    """For a data set that is what it is."""


class LocalBuilder(tfds.core.ShardBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Writes records in the order in which they are generated, one file after the other, as raw bytes.

    Not PNG: tfds encodes PNG with TensorFlow only, and raw bytes of a fixed shape read several times faster.
    A subclass is a data set; its name is the class's name in snake case. None is registered with tfds, which
    has its own `mnist`; the version is below 1, where tfds's versions start, so one data folder holds both.
    """

    VERSION: ClassVar[Any] = tfds.core.Version("0.1.0")
    OPTIONS: ClassVar[type] = NoOptions  # a frozen dataclass that checks its values
    SPLITS: ClassVar[tuple[str, ...]] = ("train", "test")
    FETCHED: ClassVar[bool] = (
        False  # whether its files are downloaded, or taken from a folder, by `data prepare`
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(skip_registration=True, **kwargs)

    def __init__(self, options: Any, *, data_dir: Path) -> None:
        self.options = options
        name = self.config_name()
        config = tfds.core.BuilderConfig(name=name) if name else None
        super().__init__(data_dir=data_dir, config=config)

    # What a subclass says.

    def config_name(self) -> str:
        """The folder between the name and the version; empty where there are no options."""
        return ""

    def content_digest(self) -> str:
        """A digest of what went in, other than the options; empty where the options say it all."""
        return ""

    def fields(self) -> dict[str, Field]:
        """What a batch holds beside the labels; "image" is among them."""
        raise NotImplementedError

    def class_names(self) -> tuple[str, ...] | None:
        """What the labels mean, in order; None where there are none."""
        return None

    def integer_features(self) -> tuple[str, ...]:
        """Further integers that each record holds."""
        return ()

    def collect(self, source: Path | None) -> None:
        """Gets and checks all that goes in, before anything is written."""

    def splits(self) -> tuple[str, ...]:
        """The names of the splits."""
        return self.SPLITS

    def num_examples(self, split: str) -> int:
        """Records that `records` yields."""
        raise NotImplementedError

    def records(self, split: str) -> Iterator[dict[str, Any]]:
        """The records, in order: each field as it is stored, and the label."""
        raise NotImplementedError

    def wanted_files(self) -> str:
        """The files of a set that is FETCHED, in words, for messages."""
        raise NotImplementedError

    # What they share.

    @property
    def is_prepared(self) -> bool:
        """Whether a complete prepared set lies in the data folder."""
        return (Path(self.data_dir) / INFO_FILE).is_file()

    @property
    def recorded_options(self) -> dict[str, Any]:
        """The options with their values, as a run records them."""
        return asdict(self.options)

    def prepare(self, source: Path | None = None) -> Path:
        """Prepares the set unless that has been done; returns its folder.

        All or nothing: tfds writes into a temporary folder beside it and renames that at the end. Those that
        killed processes left behind are deleted at the next preparation.

        Raises:
            UserError: the data folder cannot be written, or whatever `collect` and `records` find.
        """
        if self.is_prepared:
            return Path(self.data_dir)
        self.collect(source)
        try:
            with kept_from_sweeping(self._own_folder, LOCK, self._sweep), _without_tfds_bars():
                self.download_and_prepare(file_format="array_record")
        except (OSError, RuntimeError) as error:  # array_record raises RuntimeError for a full disk
            if not self.is_prepared:  # otherwise another process was quicker, which is as good
                raise UserError(
                    f"Cannot write the data set {self.name} to {self.data_dir}: {error}. Free some space "
                    "there if it is full, or choose another data folder (TFDS_DATA_DIR names the usual one)."
                ) from error
        return Path(self.data_dir)

    @property
    def _own_folder(self) -> Path:
        """Of all configurations and versions of this data set."""
        above = 2 if self.config_name() else 1
        return Path(self.data_dir).parents[above - 1]

    def _sweep(self) -> None:
        """Deletes what killed preparations left half-written."""
        for pattern in (f"{INCOMPLETE}*", f"*/{INCOMPLETE}*"):
            for leftover in self._own_folder.glob(pattern):
                shutil.rmtree(leftover, ignore_errors=True)

    def _info(self) -> tfds.core.DatasetInfo:
        encoding, class_names = tfds.features.Encoding.BYTES, self.class_names()
        features = {
            name: tfds.features.Tensor(shape=field.stored_shape, dtype=field.codec.dtype, encoding=encoding)
            for name, field in self.fields().items()
        }
        if class_names is not None:
            features["label"] = tfds.features.ClassLabel(names=class_names)
        for name in self.integer_features():
            features[name] = tfds.features.Scalar(np.int32)
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(),  # kept as JSON with the set; see LEFT_OUT, DEEP_RANGE
        )

    def _shard_iterators_per_split(self, dl_manager: Any) -> dict[str, list[_Generate]]:
        return {split: self._shard_iterators(split) for split in self.splits()}

    def _shard_iterators(self, split: str) -> list[_Generate]:
        """For each file of a split what generates its part of the records; called in order, once each."""
        total, title = self.num_examples(split), f"preparing {self.name} ({split})"
        bar = tqdm(self.records(split), title, total, unit=" examples", leave=False, disable=None)
        examples = iter(enumerate(bar))
        count = shard_count(total * sum(field.stored_bytes for field in self.fields().values()), total)
        ends = [round(total * number / count) for number in range(count)]
        parts = [last - first for first, last in pairwise(ends)]
        return [partial(_part, examples, length) for length in (*parts, None)]  # the last takes what is left

    def _create_builder_config(self, builder_config: Any, version: Any) -> Any:
        return builder_config  # tfds warns of every configuration that isn't in its own list

    # tfds announces the size of a download that it doesn't make.

    def _log_download_bytes(self) -> None:
        pass

    def _log_download_done(self) -> None:
        pass


def shard_count(num_bytes: int, num_examples: int) -> int:
    """Files of a split: of at most 1 GiB each, and at most 512, because all are open while a run reads."""
    return max(1, min(-(-num_bytes // SHARD_BYTES), MAX_SHARDS, num_examples))


def _part(examples: Iterator[_Example], count: int | None) -> Iterator[_Example]:
    """The next `count` examples, or all. Each is emptied when it is written: tfds keeps a whole file's."""
    for key, example in islice(examples, count):
        yield key, example
        example.clear()


@contextmanager
def _without_tfds_bars() -> Iterator[None]:
    """tfds shows four bars of its own, also where there is no terminal; ours is enough."""
    tfds.disable_progress_bar()
    try:
        yield
    finally:
        tfds.enable_progress_bar()
