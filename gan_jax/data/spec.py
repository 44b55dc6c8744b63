"""The fields of a data set, and what the networks must know about the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gan_jax.data.codecs import Codec, Pixels, codec_from


@dataclass(frozen=True)
class Field:
    """One array of every example.

    Attributes:
        shape: of one example, as the networks see it: (H, W, C) of a picture, (1, 1, D) of a point.
        codec: how it is stored and decoded.
        aligned: whether it shows the same as the other fields, so that all are flipped and cropped together;
            a field of another, unpaired data set does not.
        file_range: (low, high): the values in picture files that became black and white, where they were not
            0 and 255 or nobody asked for it; () if that is not known.

    Raises:
        ValueError: the codec has no examples of this shape.
    """

    shape: tuple[int, ...]
    codec: Codec = field(default_factory=Pixels)
    aligned: bool = True
    file_range: tuple[float, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        self.codec.stored_shape(self.shape)

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Of one example, as it is stored."""
        return self.codec.stored_shape(self.shape)

    @property
    def stored_bytes(self) -> int:
        """Of one example."""
        return int(np.prod(self.stored_shape)) * self.codec.dtype.itemsize

    def describe(self) -> dict[str, Any]:
        """The field as JSON values."""
        described = {"shape": list(self.shape), "codec": self.codec.describe(), "aligned": self.aligned}
        return {**described, "file_range": list(self.file_range)} if self.file_range else described

    @classmethod
    def from_described(cls, described: Mapping[str, Any]) -> Field:
        """The field that `describe` described."""
        shape, file_range = tuple(described["shape"]), tuple(described.get("file_range", ()))
        return cls(shape, codec_from(described["codec"]), described["aligned"], file_range)


@dataclass(frozen=True)
class DataSpec:
    """What the networks must know about the data.

    Attributes:
        fields: by name; "image" is what is generated. Labels are beside them.
        num_classes: number of labels; None where there are none.
        class_names: what the labels mean, in order; empty where nothing says it.
    """

    fields: Mapping[str, Field]
    num_classes: int | None
    class_names: tuple[str, ...] = ()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of what is generated; a point in R^D is an image (1, 1, D)."""
        height, width, channels = self.fields["image"].shape
        return height, width, channels
