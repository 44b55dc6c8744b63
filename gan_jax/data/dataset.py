"""A data set that is ready to be read: records by index, or all of it as arrays."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from gan_jax.data.spec import DataSpec, Field
from gan_jax.densities.density import Density
from gan_jax.utils.errors import UserError

_CHUNK = 2048  # records decoded at a time: enough to amortise the call, little memory


class Source(Protocol):
    """Random access to records: a list of dicts, or what tfds's `as_data_source` returns.

    It may have `__getitems__(indices)`, which reads many records, and `read_into(indices, out)`, which fills
    the arrays of a batch, as `Dataset.read_into`, and raises a RuntimeError where files are damaged.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Dataset:
    """One split of a data set, with all that a run needs to know about it.

    Attributes:
        name: as given to `load`, for example "fashion_mnist".
        split: for example "train".
        source: `source[i]` is {"image": [H, W, C], ... as stored, "label": int (where labelled), ...}.
        fields: what a batch holds beside the labels; "image" is among them.
        num_classes: number of labels; None where there are none.
        class_names: what the labels mean, in order; empty where there are none.
        fingerprint: text that is the same only for the same examples in the same order.
        options: the options it was made with; a run records them.
        left_out: for each file that should have been an example, but could not be read, why.
        parts: of a set that is zipped from unpaired ones (see `zipped`) each field's own set; else empty.
    """

    name: str
    split: str
    source: Source
    fields: Mapping[str, Field]
    num_classes: int | None
    class_names: tuple[str, ...]
    fingerprint: str
    options: dict[str, Any] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, "Dataset"] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.source)

    @property
    def spec(self) -> DataSpec:
        """What the networks know about it."""
        return DataSpec(self.fields, self.num_classes, self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of what is generated, the same for every example."""
        return self.spec.image_shape

    @property
    def density(self) -> Density | None:
        """The known density that the examples are points of; None where there is none."""
        return self.fields["image"].codec.density

    @property
    def example_bytes(self) -> int:
        """Of the stored fields of one example."""
        return sum(field.stored_bytes for field in self.fields.values())

    def records(self, indices: Sequence[int]) -> Sequence[dict[str, Any]]:
        """The records with these indices, read in one call where the source can.

        Raises:
            UserError: the files are damaged (array_record keeps checksums and finds any flipped bit) or gone.
        """
        batched: Callable[[Sequence[int]], Sequence[dict[str, Any]]] | None
        batched = getattr(self.source, "__getitems__", None)
        try:
            return batched(indices) if batched else [self.source[i] for i in indices]
        except RuntimeError as error:
            raise self._unreadable(error) from error

    def gather(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """A batch of indices [B]: {"image": [B, H, W, C], ... as stored, "label": int32 [B] (if there)}."""
        batch = self.empty(len(indices))
        self.read_into(indices, batch)
        return batch

    def empty(self, *lead: int) -> dict[str, np.ndarray]:
        """Arrays for examples, unset: [*lead, *stored shape] of each field, "label" [*lead] (if there)."""
        batch = {
            name: np.empty((*lead, *field.stored_shape), field.codec.dtype)
            for name, field in self.fields.items()
        }
        if self.num_classes is not None:
            batch["label"] = np.empty(lead, np.int32)
        return batch

    def read_into(self, indices: np.ndarray, out: dict[str, np.ndarray]) -> None:
        """Fills `out`, arrays as `empty(B)` makes them, with the examples of indices [B].

        Raises:
            UserError: as `records`.
        """
        read_into = getattr(self.source, "read_into", None)
        if read_into is not None:
            try:
                read_into(indices, out)
            except RuntimeError as error:
                raise self._unreadable(error) from error
            return
        for row, record in enumerate(self.records([int(i) for i in indices])):
            for name, values in out.items():
                given = np.asarray(record[name])
                if name in self.fields and given.dtype != values.dtype:  # NumPy would cast it without a word
                    raise UserError(
                        f"{self.name} should hold {values.dtype} and example {indices[row]} is {given.dtype}."
                    )
                values[row] = given

    def _unreadable(self, error: RuntimeError) -> UserError:
        if "open files" in str(error):
            return UserError(
                f"The files of {self.name} cannot all be open at once ({error}): allow more with ulimit -n."
            )
        return UserError(
            f"The prepared files of {self.name} are damaged ({error}). Delete the folder {self.name} in "
            "the data folder and prepare the set again."
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it: {"image": [N, H, W, C], ... as stored, "label": int32 [N] (where labelled)}.

        Decoded at the first call and kept; the arrays are read-only because every caller gets the same ones.
        """
        return dict(self._arrays)

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        arrays = self.empty(len(self))
        for start in range(0, len(self), _CHUNK):
            part = slice(start, min(start + _CHUNK, len(self)))
            views = {name: values[part] for name, values in arrays.items()}
            self.read_into(np.arange(part.start, part.stop), views)
        for values in arrays.values():
            values.flags.writeable = False
        return arrays
