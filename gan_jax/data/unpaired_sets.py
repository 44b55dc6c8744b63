"""Two sides of pictures that are no pairs, as one data set."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import ClassVar, Literal

from absl import logging

from gan_jax.data.builder import LocalBuilder
from gan_jax.data.dataset import Dataset
from gan_jax.data.zipped import zipped
from gan_jax.utils.errors import UserError

Side = Literal["source", "image"]


class SideBuilder(LocalBuilder):
    """The builder of one side, which can name its pictures."""

    def names(self, split: str, left_out: Collection[str]) -> list[str]:
        """Of the pictures of a split, in order, but for the files that were left out."""
        raise NotImplementedError


class UnpairedSets:
    """Both sides, and what they are together: like a builder, but each side is prepared by itself.

    Attributes:
        name: of the data set.
        parts: the builders of the sides, by the names of their fields.

    Raises:
        UserError: the sides have no split in common.
    """

    OPTIONS: ClassVar[type]

    def __init__(self, name: str, parts: Mapping[str, SideBuilder], has_truth: bool) -> None:
        self.name = name
        self.parts = dict(parts)
        self._has_truth = has_truth
        if not self.splits():
            own = " and ".join(", ".join(part.splits()) for part in parts.values())
            raise UserError(f"{name}: the two sides have no split in common ({own}).")

    @property
    def is_prepared(self) -> bool:
        """Whether both sides are."""
        return all(part.is_prepared for part in self.parts.values())

    @property
    def data_dir(self) -> Path:
        """Of the images."""
        return Path(self.parts["image"].data_dir)

    def prepare(self, source: Path | None = None) -> Path:
        """Prepares both sides; as `LocalBuilder.prepare`."""
        return [part.prepare(source) for part in self.parts.values()][-1]

    def splits(self) -> tuple[str, ...]:
        """Those that both sides have."""
        return tuple(
            split for split in self.parts["image"].splits() if split in self.parts["source"].splits()
        )

    def joined(self, split: str, sides: Mapping[str, Dataset]) -> Dataset:
        """The two sides of a split as one data set: pairs where there is truth, else two lengths.

        Args:
            split: "train", "test", or a part of one, "test[:10]".
            sides: the opened parts.
        """
        whole = split.partition("[")[0]
        source, image = (self.parts[side].names(whole, sides[side].left_out) for side in ("source", "image"))
        has_truth = whole != "train" and self._has_truth and source == image
        if has_truth:
            logging.info(
                "%s: the pictures of %s have the same names on both sides and are taken as pairs; if they "
                "are none, set data.truth=False",
                *(self.name, whole),
            )
        return zipped(sides, self.parts["image"].recorded_options, name=self.name, paired=has_truth)
