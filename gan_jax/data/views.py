"""Other views of a data set: a cut, its colours as L*a*b*, its sources and images exchanged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gan_jax.data.codecs import Lab, Pixels
from gan_jax.data.cut import CUT, cut
from gan_jax.data.dataset import Dataset
from gan_jax.data.spec import Field
from gan_jax.data.zipped import zipped
from gan_jax.utils.errors import UserError

# What options of a data set choose a view, with their values where there is none.
VIEW: dict[str, Any] = {"codec": "", "direction": "a_to_b", **CUT}
_EXCHANGED = {"source": "image", "image": "source"}


def viewed(
    dataset: Dataset,
    codec: str = "",
    direction: str = "a_to_b",
    per_class: int = 0,
    imbalance: int = 1,
    oversample: bool = False,
) -> Dataset:
    """The data set as it is seen; a view other than its own is one of its options.

    Args:
        codec: "" for the data set's own, or "lab": its pictures of three channels are seen as `codecs.Lab`.
        direction: "a_to_b", or "b_to_a": the fields source and image in each other's place.
        per_class, imbalance, oversample: see `cut.cut`.

    Raises:
        UserError: another word, no source, an image that has no colours; as `cut.cut`.
    """
    seen = {"codec": codec, "direction": direction}
    if direction not in ("a_to_b", "b_to_a"):
        raise UserError(f"data.direction={direction!r}: choose a_to_b (source to image) or b_to_a.")
    if codec not in ("", Lab.name):
        raise UserError(f"data.codec={codec!r}: choose lab, or leave it empty for what the data set stores.")
    dataset = cut(dataset, per_class, imbalance, oversample)
    if direction == "b_to_a":
        dataset = _exchanged(dataset)
    if codec:
        dataset = _in_lab(dataset)
    chosen = {name: value for name, value in seen.items() if value != VIEW[name]}
    return _with_options(dataset, chosen) if chosen else dataset


def turned(dataset: Dataset) -> Dataset:
    """The data set with source and image in each other's place, whichever they are in its own view.

    Raises:
        UserError: no source.
    """
    direction = "a_to_b" if dataset.options.get("direction") == "b_to_a" else "b_to_a"
    return _with_options(_exchanged(dataset), {"direction": direction})


def _exchanged(dataset: Dataset) -> Dataset:
    if not set(_EXCHANGED) <= set(dataset.fields):
        raise UserError(
            f"data.direction=b_to_a exchanges source and image, and {dataset.name} has only "
            f"{', '.join(dataset.fields)}: set data.direction=a_to_b."
        )
    if dataset.parts:
        return zipped(_renamed(dataset.parts), dataset.options, name=dataset.name)
    return replace(
        dataset,
        fields=_renamed(dataset.fields),
        source=_Exchanged(dataset),
        fingerprint=f"b_to_a of {dataset.fingerprint}",
    )


def _in_lab(dataset: Dataset) -> Dataset:
    image = dataset.fields["image"]
    if not _has_colours(image):
        raise UserError(
            f"data.codec=lab is for pictures in RGB, and the images of {dataset.name} are {image.codec.noun} "
            f"of {image.shape[-1]} channels: leave data.codec empty."
        )
    fields = {
        name: replace(field, codec=Lab()) if _has_colours(field) else field
        for name, field in dataset.fields.items()
    }
    parts = {
        name: _in_lab(part) if _has_colours(part.fields["image"]) else part
        for name, part in dataset.parts.items()
    }
    return replace(dataset, fields=fields, parts=parts, fingerprint=f"lab of {dataset.fingerprint}")


def _has_colours(field: Field) -> bool:
    return field.codec == Pixels() and field.shape[-1] == 3


def _with_options(dataset: Dataset, chosen: Mapping[str, str]) -> Dataset:
    """With the view among the options, also of its parts, of which other splits are opened."""
    parts = {}
    for name, part in dataset.parts.items():
        # The sides of one data set are opened by its name, those of a zip by themselves, without the other.
        own = chosen if part.name == dataset.name else {k: v for k, v in chosen.items() if k != "direction"}
        parts[name] = replace(part, options={**part.options, **own})
    return replace(dataset, options={**dataset.options, **chosen}, parts=parts)


class _Exchanged:
    """The records of a data set with source and image in each other's place."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int, /) -> dict[str, Any]:
        return _renamed(self._dataset.records([index])[0])

    def read_into(self, indices: np.ndarray, out: dict[str, np.ndarray]) -> None:
        """Fills `out`, as `Dataset.read_into`."""
        self._dataset.read_into(indices, _renamed(out))


def _renamed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {_EXCHANGED.get(name, name): value for name, value in values.items()}
