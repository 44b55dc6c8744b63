"""A data set that is ready to be read: records by index, or all of it as arrays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from gan_jax.data.records import PreparedRecords
from gan_jax.densities.density import Density
from gan_jax.utils.errors import UserError

_CHUNK = 2048  # records decoded at a time: enough to amortise the call, little memory


class Source(Protocol):
    """Random access to records: a list of dicts, or what tfds's `as_data_source` returns."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Dataset:
    """One split of a data set, with all that a run needs to know about it.

    Attributes:
        name: as given to `load`, for example "fashion_mnist".
        split: for example "train".
        source: `source[i]` is {"image": [H, W, C] of `dtype`, "label": int (where labelled), ...}.
        image_shape: (H, W, C), the same for every example.
        num_classes: number of labels; None where there are none.
        class_names: what the labels mean, in order; empty where there are none.
        fingerprint: text that is the same only for the same pixels in the same order.
        options: the options it was made with; a run records them.
        density: the known density that the examples are points of; None for images.
    """

    name: str
    split: str
    source: Source
    image_shape: tuple[int, int, int]
    num_classes: int | None
    class_names: tuple[str, ...]
    fingerprint: str
    options: dict[str, Any] = field(default_factory=dict)
    density: Density | None = None

    def __len__(self) -> int:
        return len(self.source)

    @property
    def dtype(self) -> np.dtype:
        """Of the images: uint8; of points: float32."""
        return np.dtype(np.uint8 if self.density is None else np.float32)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a batch: ("image", "label"), or ("image",) where there are no labels."""
        return ("image",) if self.num_classes is None else ("image", "label")

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
        """A batch: {"image": [B, H, W, C] of `dtype`, "label": int32 [B] (where labelled)} of indices [B]."""
        batch = self.empty(len(indices))
        self.read_into(indices, batch)
        return batch

    def empty(self, *lead: int) -> dict[str, np.ndarray]:
        """Arrays for examples, unset: {"image": [*lead, H, W, C], "label": [*lead] (where labelled)}."""
        batch = {"image": np.empty((*lead, *self.image_shape), self.dtype)}
        if self.num_classes is not None:
            batch["label"] = np.empty(lead, np.int32)
        return batch

    def read_into(self, indices: np.ndarray, out: dict[str, np.ndarray]) -> None:
        """Fills `out`, arrays as `empty(B)` makes them, with the examples of indices [B].

        Raises:
            UserError: as `records`.
        """
        if isinstance(self.source, PreparedRecords):
            try:
                return self.source.read_into(indices, out)
            except RuntimeError as error:
                raise self._unreadable(error) from error
        for row, record in enumerate(self.records([int(i) for i in indices])):
            given = np.asarray(record["image"]).dtype
            if given != self.dtype:  # NumPy would cast it without a word
                raise UserError(
                    f"{self.name} should hold {self.dtype} and example {indices[row]} is {given}."
                )
            for name, values in out.items():
                values[row] = record[name]
        return None

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
        """All of it: {"image": [N, H, W, C] of `dtype`, "label": int32 [N] (where labelled)}.

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
