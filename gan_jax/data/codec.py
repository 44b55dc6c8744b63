"""What a codec is: how a field is stored, what the networks see of it, and what is shown of it."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import jax
import numpy as np

from gan_jax.densities import Density

Array = jax.Array
Shape = tuple[int, ...]


class Codec(ABC):
    """How a field is stored and decoded.

    Attributes:
        name: "pixels", "points", "tiles", "wave", "spectrogram" or "lab".
        noun: what the examples are called in messages.
        dtype: of what is stored.
        is_image: whether the values are intensities on a grid, which may be augmented, resized and cropped.
        flips: whether an example that is mirrored left to right is as likely as the example.
        bounded: whether what the networks see lies in [-1, 1].
        pictured: whether each example has a picture of its own; if not, a set of them has one.
        density: the known density that the examples are draws of; None where there is none.
        values: what the values that the networks see mean, in words.
        file_suffix: of the file of one example, beside its picture; "" where the picture is all there is.
    """

    name: ClassVar[str]
    noun: ClassVar[str]
    values: ClassVar[str]
    dtype: ClassVar[np.dtype]
    is_image: ClassVar[bool] = False
    flips: bool = False
    bounded: ClassVar[bool] = True
    pictured: ClassVar[bool] = True
    density: Density | None = None
    file_suffix: ClassVar[str] = ""

    def stored_shape(self, shape: Shape) -> Shape:
        """Of one example as it is stored, from the shape that the networks see.

        Raises:
            ValueError: no example of this codec has that shape.
        """
        return shape

    @abstractmethod
    def decode(self, stored: Array) -> Array:
        """Stored examples as the networks see them, float32; any dimensions may stand before. Traceable."""

    @abstractmethod
    def encode(self, decoded: np.ndarray) -> np.ndarray:
        """The inverse, on the host: what comes nearest to these values of what can be stored."""

    @abstractmethod
    def picture(self, decoded: np.ndarray) -> np.ndarray:
        """A picture of each example, [B, *shape] -> uint8 [B, h, w, C] with C = 1, 3 or 4."""

    def file(self, decoded: np.ndarray) -> bytes:
        """The file of one example, where `file_suffix` says that there is one."""
        raise ValueError(f"{self.noun} have no files beside their pictures")

    def describe(self) -> dict[str, Any]:
        """The codec as JSON values, of which `codec_from` makes it again."""
        return {"name": self.name}

    @property
    def digest(self) -> str:
        """16 hex digits of a sha256 over the description."""
        return hashlib.sha256(json.dumps(self.describe(), sort_keys=True).encode()).hexdigest()[:16]
