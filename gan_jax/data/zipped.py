"""Unpaired data: several data sets as the fields of one, each drawn from in an order of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gan_jax.data.dataset import Dataset
from gan_jax.utils.errors import UserError


def zipped(
    parts: Mapping[str, Dataset], options: dict[str, Any], *, name: str = "zip", paired: bool = False
) -> Dataset:
    """Data sets of any lengths as the fields of one.

    The field NAME holds the images of the part NAME; the labels are those of the part "image", whose length
    is the whole's. A feed draws from each part by itself (see `feed.ZipFeed`); only where examples are
    looked at by their numbers, example i of the whole is example i modulo its length of each part.

    Args:
        parts: by the names of the fields; "image" and at least one more.
        options: that the whole was made with; a run records them.
        name: of the whole.
        paired: whether example i of every part shows the same: then the fields are aligned, and a feed draws
            from all parts together.

    Raises:
        UserError: no part "image", no other part, a part with further fields, or pairs of other lengths.
    """
    if "image" not in parts or "label" in parts or len(parts) < 2:
        raise UserError(
            f"A zip of {', '.join(parts) or 'nothing'}: give the part image, which is generated, and at "
            "least one more, none of them called label."
        )
    for field, part in parts.items():
        if set(part.fields) != {"image"}:
            raise UserError(
                f"The part {field} of a zip is {part.name}, with the fields {', '.join(part.fields)}: it "
                "must be a data set whose only field is image."
            )
    first = parts["image"]
    if paired and len({len(part) for part in parts.values()}) > 1:
        lengths = ", ".join(f"{field} {len(part)}" for field, part in parts.items())
        raise UserError(f"A zip of pairs whose parts have other lengths: {lengths}.")
    return Dataset(
        name=name,
        split=first.split,
        source=ZipSource(parts),
        fields={
            field: replace(part.fields["image"], aligned=paired or field == "image")
            for field, part in parts.items()
        },
        num_classes=first.num_classes,
        class_names=first.class_names,
        fingerprint=("pairs of " if paired else "zip of ")
        + "; ".join(f"{field}: {parts[field].fingerprint}" for field in sorted(parts)),
        options=options,
        left_out={file: why for part in parts.values() for file, why in part.left_out.items()},
        parts={} if paired else parts,
    )


class ZipSource:
    """The records of `zipped`."""

    def __init__(self, parts: Mapping[str, Dataset]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return len(self._parts["image"])

    def __getitem__(self, index: int, /) -> dict[str, Any]:
        records = {name: part.records([index % len(part)])[0] for name, part in self._parts.items()}
        return {**records["image"], **{name: record["image"] for name, record in records.items()}}

    def read_into(self, indices: np.ndarray, out: dict[str, np.ndarray]) -> None:
        """Fills `out`, as `Dataset.read_into`."""
        for name, part in self._parts.items():
            own = {"image": out[name]} if name in out else {}
            if name == "image" and "label" in out:
                own["label"] = out["label"]
            part.read_into(indices % len(part), own)
