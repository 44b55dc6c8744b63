"""Data sets that a function makes: what is registered where no builder prepares files."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from gan_jax.data.arrays import ARRAYS
from gan_jax.data.dataset import Dataset
from gan_jax.utils.errors import UserError


class OpenedSet(Protocol):
    """A data set that is opened by itself, such as points of a density or what a function makes."""

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Its options with their defaults."""

    def open(self, split: str, options: dict[str, Any]) -> Dataset:
        """One split."""


@dataclass(frozen=True)
class FunctionSet:
    """A data set before it has options.

    Attributes:
        name: as given to `data.load`.
        make: (split, and its options by name, all with defaults) -> a Dataset, as `data.from_arrays` makes
            it; the split is "train" or "test", or what else the function knows.
    """

    name: str
    make: Callable[..., Dataset]

    SPLITS: ClassVar[tuple[str, ...]] = ("train", "test")

    @property
    def defaults(self) -> dict[str, Any]:
        """All options with their defaults.

        Raises:
            UserError: one has none.
        """
        parameters = list(inspect.signature(self.make).parameters.values())[1:]
        if lacking := [one.name for one in parameters if one.default is inspect.Parameter.empty]:
            raise UserError(f"The data set {self.name}: its option {lacking[0]} needs a default.")
        return {parameter.name: parameter.default for parameter in parameters}

    def open(self, split: str, options: dict[str, Any]) -> Dataset:
        """What the function makes of a split, under the name of the set.

        Raises:
            UserError: an unknown option, a value that will not do, or something else than a Dataset.
        """
        defaults = self.defaults
        if unknown := sorted(set(options) - set(defaults)):
            known = f"it has {', '.join(defaults)}" if defaults else "it has none"
            raise UserError(f"Unknown option {', '.join(unknown)} of the data set {self.name}: {known}.")
        chosen = {**defaults, **options}
        try:
            made = self.make(split, **chosen)
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(
                f"The data set {self.name}, split {split!r}: {type(error).__name__}: {error}."
            ) from error
        if not isinstance(made, Dataset):
            raise UserError(
                f"The data set {self.name}: its function must return a Dataset, such as "
                f"gan_jax.data.from_arrays(images, labels) makes, not {type(made).__name__}."
            )
        fingerprint = made.fingerprint
        if made.name == ARRAYS:  # whose fingerprint is of the examples
            fingerprint = fingerprint.replace(
                f"{ARRAYS} [train]", f"{self.name} {json.dumps(chosen, sort_keys=True)} [{split}]", 1
            )
        return replace(made, name=self.name, split=split, options=chosen, fingerprint=fingerprint)
